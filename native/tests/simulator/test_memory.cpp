/* Memory shared with the NPU: made, given to others, bound, given back. Nothing is computed here. */
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <vector>

#include "check.h"
#include "ez_rknn_simulator.h"
#include "support.h"

namespace {

bool last_error_has(const char *text) {
    return std::strstr(ez_rknn_last_error(), text) != nullptr;
}

uint64_t allocated_bytes(rknn_context context) {
    rknn_mem_size memory{};
    CHECK_EQ(rknn_query(context, RKNN_QUERY_MEM_SIZE, &memory, sizeof memory), RKNN_SUCC);
    return memory.total_dma_allocated_size;
}

}  // namespace

TEST(memory_is_a_file_that_can_be_mapped_elsewhere) {
    const TestContext context(model_path("tiny_conv_int8"));
    rknn_tensor_mem *memory = rknn_create_mem(context, 5000);
    CHECK(memory != nullptr);
    CHECK_EQ(memory->size, 5000U);
    CHECK(memory->fd > 0);
    CHECK_EQ(memory->offset, 0);
    CHECK_EQ(memory->flags, 1U);
    CHECK(memory->priv_data != nullptr);
    CHECK(memory->phys_addr != 0);
    rknn_tensor_mem *other = rknn_create_mem(context, 4096);
    CHECK(other->phys_addr >= memory->phys_addr + 5000);
    void *elsewhere = mmap(nullptr, 5000, PROT_READ | PROT_WRITE, MAP_SHARED, memory->fd, 0);
    CHECK(elsewhere != MAP_FAILED);
    std::strcpy(static_cast<char *>(memory->virt_addr), "from the program");
    CHECK_EQ(std::string(static_cast<char *>(elsewhere)), std::string("from the program"));
    munmap(elsewhere, 5000);
    CHECK(ftruncate(memory->fd, 0) != 0);  // nobody can pull the ground away
    CHECK_EQ(rknn_destroy_mem(context, memory), RKNN_SUCC);
    CHECK_EQ(rknn_destroy_mem(context, other), RKNN_SUCC);
}

TEST(memory_is_counted_as_long_as_it_is_there) {
    const TestContext context(model_path("tiny_conv_int8"));
    const uint64_t before = allocated_bytes(context);
    rknn_tensor_mem *memory = rknn_create_mem(context, 5000);
    CHECK_EQ(allocated_bytes(context), before + 5000);
    rknn_tensor_mem *same = rknn_create_mem_from_fd(context, memory->fd, memory->virt_addr, 5000, 0);
    CHECK_EQ(allocated_bytes(context), before + 5000);
    CHECK_EQ(rknn_destroy_mem(context, same), RKNN_SUCC);
    CHECK_EQ(rknn_destroy_mem(context, memory), RKNN_SUCC);
    CHECK_EQ(allocated_bytes(context), before);
}

TEST(memory_that_cannot_be_made_is_refused_in_words) {
    const TestContext context(model_path("tiny_conv_int8"));
    CHECK(rknn_create_mem(context, 0) == nullptr);
    CHECK(last_error_has("invalid size: 0"));
    CHECK(rknn_create_mem2(context, uint64_t{1} << 32, 0) == nullptr);
    CHECK(rknn_create_mem_from_phys(context, 0x1000, nullptr, 16) == nullptr);
    CHECK(last_error_has("rknn_create_mem_from_fd"));
    CHECK(rknn_create_mem_from_mb_blk(context, nullptr, 0) == nullptr);
    CHECK(last_error_has("rknn_create_mem_from_fd"));
    CHECK(rknn_create_mem(0, 16) == nullptr);
    CHECK(rknn_create_mem_from_fd(0, 1, nullptr, 16, 0) == nullptr);
}

TEST(memory_is_destroyed_once) {
    const TestContext context(model_path("tiny_conv_int8"));
    rknn_tensor_mem *memory = rknn_create_mem(context, 64);
    CHECK_EQ(rknn_destroy_mem(0, memory), RKNN_ERR_CTX_INVALID);
    CHECK_EQ(rknn_destroy_mem(context, memory), RKNN_SUCC);
    CHECK_EQ(rknn_destroy_mem(context, memory), RKNN_ERR_PARAM_INVALID);
    CHECK(last_error_has("destroyed already"));
    CHECK_EQ(rknn_destroy_mem(context, nullptr), RKNN_ERR_PARAM_INVALID);
    rknn_tensor_mem made_up{};
    CHECK_EQ(rknn_destroy_mem(context, &made_up), RKNN_ERR_PARAM_INVALID);
    CHECK(last_error_has("no memory that rknn_create_mem"));
    CHECK_EQ(rknn_mem_sync(context, memory, RKNN_MEMORY_SYNC_TO_DEVICE), RKNN_ERR_PARAM_INVALID);
    rknn_tensor_attr attr = attribute(context, RKNN_QUERY_NATIVE_INPUT_ATTR);
    CHECK_EQ(rknn_set_io_mem(context, memory, &attr), RKNN_ERR_PARAM_INVALID);
}

TEST(synchronising_checks_its_arguments) {
    const TestContext context(model_path("tiny_conv_int8"));
    rknn_tensor_mem *memory = rknn_create_mem(context, 64);
    for (const rknn_mem_sync_mode mode :
         {RKNN_MEMORY_SYNC_TO_DEVICE, RKNN_MEMORY_SYNC_FROM_DEVICE, RKNN_MEMORY_SYNC_BIDIRECTIONAL}) {
        CHECK_EQ(rknn_mem_sync(context, memory, mode), RKNN_SUCC);
    }
    CHECK_EQ(rknn_mem_sync(context, memory, static_cast<rknn_mem_sync_mode>(4)), RKNN_ERR_PARAM_INVALID);
    CHECK_EQ(rknn_mem_sync(context, nullptr, RKNN_MEMORY_SYNC_TO_DEVICE), RKNN_ERR_PARAM_INVALID);
    CHECK_EQ(rknn_mem_sync(0, memory, RKNN_MEMORY_SYNC_TO_DEVICE), RKNN_ERR_CTX_INVALID);
    CHECK_EQ(rknn_destroy_mem(context, memory), RKNN_SUCC);
}
