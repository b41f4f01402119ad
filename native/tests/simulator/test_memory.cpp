/* SPDX-License-Identifier: Apache-2.0 */
/* Memory shared with the NPU: creating, exporting, binding and destroying it. Nothing is computed here. */
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <vector>

#include "ez_rknn_simulator.h"
#include "tests/check.h"
#include "tests/simulator/support.h"

using namespace ez_rknn::tests;

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
    CHECK(ftruncate(memory->fd, 0) != 0);  // sealed: no one can shrink it
    CHECK_EQ(rknn_destroy_mem(context, memory), RKNN_SUCC);
    CHECK_EQ(rknn_destroy_mem(context, other), RKNN_SUCC);
}

TEST(memory_reaches_into_other_processes) {
    const TestContext context(model_path("tiny_conv_int8"));
    const rknn_tensor_attr output = attribute(context, RKNN_QUERY_NATIVE_OUTPUT_ATTR);
    rknn_tensor_mem *memory = rknn_create_mem(context, output.size_with_stride);
    std::memset(memory->virt_addr, 0x55, memory->size);
    const pid_t child = fork();
    if (child == 0) {
        bool written = false;
        {
            const TestContext own(model_path("tiny_conv_int8"));
            rknn_tensor_attr attr = attribute(own, RKNN_QUERY_NATIVE_OUTPUT_ATTR);
            void *address = mmap(nullptr, memory->size, PROT_READ | PROT_WRITE, MAP_SHARED, memory->fd, 0);
            rknn_tensor_mem *imported = rknn_create_mem_from_fd(own, memory->fd, address, memory->size, 0);
            written = rknn_set_io_mem(own, imported, &attr) == RKNN_SUCC && rknn_run(own, nullptr) == RKNN_SUCC &&
                      rknn_destroy_mem(own, memory) == RKNN_ERR_PARAM_INVALID;  // that one is the parent's
        }
        _exit(written ? 0 : 1);
    }
    int status = -1;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    CHECK_EQ(int{static_cast<int8_t *>(memory->virt_addr)[0]}, output.zp);
    CHECK_EQ(rknn_destroy_mem(context, memory), RKNN_SUCC);
}

TEST(memory_is_counted_while_it_exists) {
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

TEST(memory_that_cannot_be_made_fails_with_a_clear_message) {
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
    CHECK(last_error_has("not memory returned by rknn_create_mem"));
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

TEST(static_memory_is_given_out_until_it_is_used_up) {
    const TestContext context(model_path("tiny_conv_int8"));
    const auto sram = [&] {
        rknn_mem_size memory{};
        CHECK_EQ(rknn_query(context, RKNN_QUERY_MEM_SIZE, &memory, sizeof memory), RKNN_SUCC);
        return memory;
    };
    const uint32_t total = sram().total_sram_size;
    CHECK(total > 0);
    CHECK_EQ(sram().free_sram_size, total);
    rknn_tensor_mem *ordinary = rknn_create_mem2(context, 5000, RKNN_FLAG_MEMORY_CACHEABLE);
    CHECK_EQ(sram().free_sram_size, total);
    rknn_tensor_mem *fast = rknn_create_mem2(context, 5000, RKNN_FLAG_MEMORY_TRY_ALLOC_SRAM);
    CHECK_EQ(sram().free_sram_size, total - 5000);
    rknn_tensor_mem *rest = rknn_create_mem2(context, total, RKNN_FLAG_MEMORY_TRY_ALLOC_SRAM);
    CHECK(rest != nullptr);  // SRAM is only tried
    CHECK_EQ(sram().free_sram_size, 0U);
    for (rknn_tensor_mem *memory : {ordinary, fast, rest}) CHECK_EQ(rknn_destroy_mem(context, memory), RKNN_SUCC);
    CHECK_EQ(sram().free_sram_size, total);
    {
        const TestContext fast_inside(model_path("tiny_conv_int8"), "compute=off", RKNN_FLAG_ENABLE_SRAM);
        CHECK_EQ(sram().free_sram_size, total - sram().total_internal_size);
    }
    CHECK_EQ(sram().free_sram_size, total);
}

TEST(memory_needs_no_context) {
    const uint64_t flags = RKNN_MEM_FLAG_ALLOC_NO_CONTEXT | RKNN_FLAG_MEMORY_CACHEABLE;
    rknn_tensor_mem *memory = rknn_create_mem2(0, 64, flags);
    CHECK(memory != nullptr);
    CHECK_EQ(rknn_destroy_mem(0, memory), RKNN_SUCC);
    CHECK_EQ(rknn_destroy_mem(0, memory), RKNN_ERR_PARAM_INVALID);
    CHECK(rknn_create_mem2(0, 64, RKNN_FLAG_MEMORY_CACHEABLE) == nullptr);
}

TEST(calls_are_counted_by_function) {
    const auto calls = ez_rknn_simulator_calls;
    const uint64_t created = calls("rknn_create_mem"), bound = calls("rknn_set_io_mem"), runs = calls("rknn_run");
    const TestContext context(model_path("tiny_conv_int8"));
    rknn_tensor_mem *memory = rknn_create_mem(context, 5000);
    CHECK_EQ(rknn_set_io_mem(context, memory, nullptr), RKNN_ERR_PARAM_INVALID);  // failed calls count too
    for (int i = 0; i < 3; ++i) CHECK_EQ(rknn_run(context, nullptr), RKNN_SUCC);
    CHECK_EQ(rknn_destroy_mem(context, memory), RKNN_SUCC);
    CHECK_EQ(calls("rknn_create_mem"), created + 1);
    CHECK_EQ(calls("rknn_set_io_mem"), bound + 1);
    CHECK_EQ(calls("rknn_run"), runs + 3);
    CHECK_EQ(calls("rknn_frobnicate"), 0U);
    CHECK_EQ(calls(nullptr), 0U);
}
