/* SPDX-License-Identifier: Apache-2.0 */
/* Memory imported by its file descriptor. */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <vector>

#include "ez_rknn_simulator.h"
#include "tests/check.h"
#include "tests/simulator/bound.h"
#include "tests/simulator/support.h"

using namespace ez_rknn::tests;

namespace {

/* An anonymous file of that many bytes. */
class File {
  public:
    explicit File(size_t size) : fd(memfd_create("test", MFD_CLOEXEC)), size_(size) {
        CHECK_EQ(ftruncate(fd, static_cast<off_t>(size)), 0);
        void *address = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        CHECK(address != MAP_FAILED);
        data = static_cast<uint8_t *>(address);
    }
    ~File() {
        munmap(data, size_);
        close(fd);
    }
    File(const File &) = delete;
    File &operator=(const File &) = delete;

    const int fd;
    uint8_t *data = nullptr;

  private:
    size_t size_;
};

}  // namespace

TEST(imported_memory_is_checked_when_it_is_bound) {
    const TestContext context(model_path("tiny_conv_int8"));
    rknn_tensor_attr attr = attribute(context, RKNN_QUERY_NATIVE_INPUT_ATTR);
    const uint32_t size = attr.size_with_stride;
    File file(8192 + size);
    const int null = open("/dev/null", O_RDWR);
    struct Case {
        int fd;
        void *address;
        uint32_t size;
        int32_t offset;
        int code;
    };
    for (const Case &expected : std::vector<Case>{{file.fd, file.data, size, 0, RKNN_SUCC},
                                                  {file.fd, file.data, size, 4096, RKNN_SUCC},
                                                  {file.fd, file.data, size, 8192, RKNN_SUCC},
                                                  {file.fd, file.data, size, 100, RKNN_SUCC},
                                                  {file.fd, nullptr, size, 0, RKNN_ERR_MALLOC_FAIL},
                                                  {file.fd, file.data, 0, 0, RKNN_ERR_FAIL},
                                                  {file.fd, file.data, size, 8193, RKNN_ERR_PARAM_INVALID},
                                                  {file.fd, file.data, 100000, 0, RKNN_ERR_PARAM_INVALID},
                                                  {file.fd, file.data, UINT32_MAX, INT32_MAX, RKNN_ERR_PARAM_INVALID},
                                                  {file.fd, file.data, size, -4096, RKNN_ERR_PARAM_INVALID},
                                                  {-1, file.data, size, 0, RKNN_ERR_PARAM_INVALID},
                                                  {null, file.data, size, 0, RKNN_ERR_PARAM_INVALID}}) {
        rknn_tensor_mem *memory =
            rknn_create_mem_from_fd(context, expected.fd, expected.address, expected.size, expected.offset);
        CHECK(memory != nullptr);
        CHECK_EQ(memory->virt_addr, expected.address);
        CHECK_EQ(memory->fd, expected.fd);
        CHECK_EQ(memory->offset, expected.offset);
        CHECK_EQ(memory->size, expected.size);
        CHECK_EQ(memory->phys_addr, UINT64_MAX);
        CHECK_EQ(rknn_mem_sync(context, memory, RKNN_MEMORY_SYNC_TO_DEVICE), RKNN_SUCC);
        CHECK_EQ(rknn_set_io_mem(context, memory, &attr), expected.code);
        CHECK_EQ(expected.code == RKNN_SUCC, ez_rknn_last_error()[0] == '\0');
        CHECK_EQ(rknn_destroy_mem(context, memory), RKNN_SUCC);
    }
    close(null);
}

TEST(imported_memory_is_read_and_written_at_its_offset) {
    use_fake_device();
    const TestContext context(model_path("tiny_conv_int8"), compute);
    rknn_tensor_attr input = attribute(context, RKNN_QUERY_NATIVE_INPUT_ATTR);
    input.pass_through = 1;
    rknn_tensor_attr output = attribute(context, RKNN_QUERY_OUTPUT_ATTR);
    File file(12288 + input.size_with_stride + output.size);
    const int copy = dup(file.fd);
    const int32_t output_offset = 8192 + 64;  // need not be page-aligned
    rknn_tensor_mem *in = rknn_create_mem_from_fd(context, copy, file.data, input.size_with_stride, 4096);
    rknn_tensor_mem *out = rknn_create_mem_from_fd(context, copy, file.data, output.size, output_offset);
    CHECK_EQ(rknn_set_io_mem(context, in, &input), RKNN_SUCC);
    CHECK_EQ(rknn_set_io_mem(context, out, &output), RKNN_SUCC);
    close(copy);  // bound memory no longer needs its descriptor
    file.data[0] = 1;
    file.data[4096] = 55;
    CHECK_EQ(rknn_run(context, nullptr), RKNN_SUCC);
    CHECK_EQ(int{file.data[output_offset - 1]}, 0);
    CHECK_EQ(int{file.data[output_offset]}, 55);
    CHECK_EQ(int{file.data[output_offset + output.size - 1]}, 55);
    CHECK_EQ(int{file.data[output_offset + output.size]}, 0);
    CHECK_EQ(rknn_destroy_mem(context, in), RKNN_SUCC);
    CHECK_EQ(rknn_destroy_mem(context, out), RKNN_SUCC);
}

TEST(read_only_memory_is_accepted_for_inputs_only) {
    const TestContext context(model_path("tiny_conv_int8"));
    rknn_tensor_attr input = attribute(context, RKNN_QUERY_NATIVE_INPUT_ATTR);
    rknn_tensor_attr output = attribute(context, RKNN_QUERY_NATIVE_OUTPUT_ATTR);
    File file(1 << 20);
    const int readable = open(("/proc/self/fd/" + std::to_string(file.fd)).c_str(), O_RDONLY | O_CLOEXEC);
    rknn_tensor_mem *memory = rknn_create_mem_from_fd(context, readable, file.data, 1 << 20, 0);
    CHECK_EQ(rknn_set_io_mem(context, memory, &input), RKNN_SUCC);
    CHECK_EQ(rknn_set_io_mem(context, memory, &output), RKNN_ERR_PARAM_INVALID);
    CHECK(last_error_has("can only be read"));
    CHECK_EQ(rknn_destroy_mem(context, memory), RKNN_SUCC);
    // Between the rows of some inputs the NPU writes.
    const TestContext filling(model_path("odd_size_int8"));
    memory = rknn_create_mem_from_fd(filling, readable, file.data, 1 << 20, 0);
    input = attribute(filling, RKNN_QUERY_NATIVE_INPUT_ATTR);
    CHECK_EQ(rknn_set_io_mem(filling, memory, &input), RKNN_SUCC);  // converted by the CPU
    input.pass_through = 1;
    CHECK_EQ(rknn_set_io_mem(filling, memory, &input), RKNN_ERR_PARAM_INVALID);
    CHECK(last_error_has("fills the gaps between its rows"));
    CHECK_EQ(rknn_destroy_mem(filling, memory), RKNN_SUCC);
    close(readable);
}
