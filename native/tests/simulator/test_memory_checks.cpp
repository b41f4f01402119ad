/* What the simulated NPU says to a program that shares memory with it in a way that goes wrong on a board. */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "check.h"
#include "ez_rknn_simulator.h"
#include "process.h"
#include "support.h"

using namespace ez_rknn::simulator;

namespace {

constexpr const char *compute = "compute=on";

bool last_error_has(const char *text) {
    return std::strstr(ez_rknn_last_error(), text) != nullptr;
}

void use_fake_device() {
    setenv("EZ_RKNN_PYTHON", EZ_RKNN_FAKE_DEVICE_PATH, 1);
    unsetenv("EZ_RKNN_FAKE_DEVICE");
}

uint8_t *bytes_of(const rknn_tensor_mem *memory) {
    return static_cast<uint8_t *>(memory->virt_addr);
}

rknn_tensor_mem *memory_for(rknn_context context, const rknn_tensor_attr &attr) {
    return rknn_create_mem(context, attr.size_with_stride);
}

/* A context whose input and output are bound to memory in the NPU's own layout. */
struct Bound {
    explicit Bound(const std::string &settings, uint32_t flags = 0)
        : context(model_path("tiny_conv_int8"), settings, flags),
          input_attr(attribute(context, RKNN_QUERY_NATIVE_INPUT_ATTR)),
          output_attr(attribute(context, RKNN_QUERY_NATIVE_OUTPUT_ATTR)),
          input(memory_for(context, input_attr)),
          output(memory_for(context, output_attr)) {
        input_attr.pass_through = 1;
        CHECK_EQ(rknn_set_io_mem(context, input, &input_attr), RKNN_SUCC);
        CHECK_EQ(rknn_set_io_mem(context, output, &output_attr), RKNN_SUCC);
    }
    ~Bound() {
        rknn_destroy_mem(context, input);
        rknn_destroy_mem(context, output);
    }
    int run() const { return rknn_run(context, nullptr); }

    TestContext context;
    rknn_tensor_attr input_attr, output_attr;
    rknn_tensor_mem *input, *output;
};

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

TEST(memory_destroyed_while_bound_ends_the_run_and_not_the_program) {
    Bound bound("compute=off");
    CHECK_EQ(bound.run(), RKNN_SUCC);
    CHECK_EQ(rknn_destroy_mem(bound.context, bound.output), RKNN_SUCC);
    CHECK_EQ(bound.run(), RKNN_ERR_FAIL);
    CHECK(last_error_has("was destroyed"));
    CHECK(last_error_has("bind another"));
    bound.output = memory_for(bound.context, bound.output_attr);
    CHECK_EQ(rknn_set_io_mem(bound.context, bound.output, &bound.output_attr), RKNN_SUCC);
    CHECK_EQ(bound.run(), RKNN_SUCC);
    CHECK_EQ(rknn_destroy_mem(bound.context, bound.input), RKNN_SUCC);
    CHECK_EQ(bound.run(), RKNN_ERR_FAIL);
    CHECK(last_error_has("was destroyed"));
}

TEST(memory_is_not_destroyed_under_a_run) {
    Bound bound("compute=off,soc=rk3588");
    CHECK_EQ(rknn_set_core_mask(bound.context, RKNN_NPU_CORE_0), RKNN_SUCC);
    Board &board = process_state().boards.of(*find_soc("rk3588"));
    std::thread runner;
    {
        const Board::Lease lease = board.acquire(RKNN_NPU_CORE_0);
        runner = std::thread([&] { CHECK_EQ(bound.run(), RKNN_SUCC); });
        while (board.line_length(0) < 2) std::this_thread::yield();  // until the run waits for the core
        CHECK_EQ(rknn_destroy_mem(bound.context, bound.input), RKNN_ERR_FAIL);
        CHECK(last_error_has("is running"));
    }
    runner.join();
    CHECK_EQ(bound.run(), RKNN_SUCC);
    CHECK_EQ(rknn_destroy_mem(bound.context, bound.input), RKNN_SUCC);
    CHECK_EQ(bound.run(), RKNN_ERR_FAIL);
}

TEST(memory_of_a_destroyed_context_is_not_bound) {
    use_fake_device();
    const TestContext context(model_path("tiny_conv_int8"));
    rknn_tensor_attr attr = attribute(context, RKNN_QUERY_NATIVE_INPUT_ATTR);
    rknn_tensor_mem *memory = nullptr;
    {
        const TestContext gone(model_path("tiny_conv_int8"));
        memory = memory_for(gone, attr);
        CHECK_EQ(rknn_set_io_mem(context, memory, &attr), RKNN_SUCC);
        CHECK_EQ(rknn_run(context, nullptr), RKNN_SUCC);
    }
    CHECK_EQ(rknn_run(context, nullptr), RKNN_ERR_FAIL);
    CHECK(last_error_has("belonged to a context that was destroyed"));
    CHECK_EQ(rknn_set_io_mem(context, memory, &attr), RKNN_ERR_FAIL);
    CHECK_EQ(rknn_destroy_mem(context, memory), RKNN_SUCC);
}

TEST(memory_that_is_too_small_is_refused) {
    const TestContext context(model_path("tiny_conv_int8"));
    rknn_tensor_attr input = attribute(context, RKNN_QUERY_NATIVE_INPUT_ATTR);
    rknn_tensor_mem *memory = rknn_create_mem(context, 16);
    CHECK_EQ(rknn_set_io_mem(context, memory, &input), RKNN_ERR_FAIL);
    CHECK(last_error_has("input memory size(16) < model input size("));
    input.pass_through = 1;  // the vendor's library looks neither here
    CHECK_EQ(rknn_set_io_mem(context, memory, &input), RKNN_ERR_PARAM_INVALID);
    rknn_tensor_attr output = attribute(context, RKNN_QUERY_NATIVE_OUTPUT_ATTR);
    CHECK_EQ(rknn_set_io_mem(context, memory, &output), RKNN_ERR_PARAM_INVALID);  // nor here
    CHECK(last_error_has("output memory size(16)"));
    CHECK_EQ(rknn_run(context, nullptr), RKNN_SUCC);  // nothing was bound
    CHECK_EQ(rknn_destroy_mem(context, memory), RKNN_SUCC);
}

TEST(attributes_that_make_no_sense_are_refused) {
    const TestContext context(model_path("tiny_conv_int8"));
    rknn_tensor_mem *memory = rknn_create_mem(context, 1 << 20);
    const rknn_tensor_attr input = attribute(context, RKNN_QUERY_NATIVE_INPUT_ATTR);
    const rknn_tensor_attr output = attribute(context, RKNN_QUERY_NATIVE_OUTPUT_ATTR);
    const auto bind = [&](rknn_tensor_attr attr, auto change) {
        change(attr);
        return rknn_set_io_mem(context, memory, &attr);
    };
    CHECK_EQ(rknn_set_io_mem(context, nullptr, nullptr), RKNN_ERR_PARAM_INVALID);
    CHECK_EQ(rknn_set_io_mem(context, memory, nullptr), RKNN_ERR_PARAM_INVALID);
    CHECK_EQ(bind(input, [](auto &attr) { std::strcpy(attr.name, "nobody"); }), RKNN_ERR_FAIL);
    CHECK(last_error_has("'nobody'"));
    CHECK_EQ(bind(input, [](auto &attr) { attr.name[0] = '\0'; }), RKNN_ERR_FAIL);
    CHECK_EQ(bind(input, [](auto &attr) { std::memset(attr.name, 'x', sizeof attr.name); }), RKNN_ERR_FAIL);
    for (const int wild : {-1, 4, 1000}) {
        CHECK_EQ(bind(input, [&](auto &attr) { attr.fmt = static_cast<rknn_tensor_format>(wild); }),
                 RKNN_ERR_PARAM_INVALID);
    }
    for (const int wild : {-1, 12, 1000}) {
        CHECK_EQ(bind(input, [&](auto &attr) { attr.type = static_cast<rknn_tensor_type>(wild); }),
                 RKNN_ERR_PARAM_INVALID);
        CHECK_EQ(bind(output, [&](auto &attr) { attr.type = static_cast<rknn_tensor_type>(wild); }),
                 RKNN_ERR_PARAM_INVALID);
    }
    CHECK_EQ(rknn_destroy_mem(context, memory), RKNN_SUCC);
}

TEST(imported_memory_is_looked_at_when_it_is_bound) {
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
    const int32_t output_offset = 8192 + 64;  // need not be a page's
    rknn_tensor_mem *in = rknn_create_mem_from_fd(context, copy, file.data, input.size_with_stride, 4096);
    rknn_tensor_mem *out = rknn_create_mem_from_fd(context, copy, file.data, output.size, output_offset);
    CHECK_EQ(rknn_set_io_mem(context, in, &input), RKNN_SUCC);
    CHECK_EQ(rknn_set_io_mem(context, out, &output), RKNN_SUCC);
    close(copy);  // bound memory needs its descriptor no more
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

TEST(memory_that_can_only_be_read_is_an_input_but_no_output) {
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
    CHECK(last_error_has("fills what lies between its rows"));
    CHECK_EQ(rknn_destroy_mem(filling, memory), RKNN_SUCC);
    close(readable);
}

TEST(what_was_not_flushed_is_an_error_when_the_runtime_does_not_flush) {
    use_fake_device();
    const Bound bound(compute, RKNN_FLAG_DISABLE_FLUSH_INPUT_MEM_CACHE);
    CHECK_EQ(bound.run(), RKNN_SUCC);  // zeros since it was made: there is nothing to flush
    bytes_of(bound.input)[0] = 7;
    CHECK_EQ(bound.run(), RKNN_ERR_FAIL);
    CHECK(last_error_has("rknn_mem_sync"));
    CHECK_EQ(rknn_mem_sync(bound.context, bound.input, RKNN_MEMORY_SYNC_FROM_DEVICE), RKNN_SUCC);
    CHECK_EQ(bound.run(), RKNN_ERR_FAIL);  // the other direction
    CHECK_EQ(rknn_mem_sync(bound.context, bound.input, RKNN_MEMORY_SYNC_TO_DEVICE), RKNN_SUCC);
    CHECK_EQ(bound.run(), RKNN_SUCC);
    CHECK_EQ(int{bytes_of(bound.output)[0]}, 7);
    CHECK_EQ(bound.run(), RKNN_SUCC);
    bytes_of(bound.input)[bound.input->size - 1] ^= 1;
    CHECK_EQ(bound.run(), RKNN_ERR_FAIL);
    CHECK_EQ(rknn_mem_sync(bound.context, bound.input, RKNN_MEMORY_SYNC_BIDIRECTIONAL), RKNN_SUCC);
    CHECK_EQ(bound.run(), RKNN_SUCC);
}

TEST(the_runtime_flushes_what_the_program_did_not) {
    use_fake_device();
    const Bound bound(compute);
    bytes_of(bound.input)[0] = 7;
    CHECK_EQ(bound.run(), RKNN_SUCC);
    CHECK_EQ(int{bytes_of(bound.output)[0]}, 7);
}

TEST(memory_without_caches_needs_no_flushing) {
    use_fake_device();
    const Bound bound(compute, RKNN_FLAG_DISABLE_FLUSH_INPUT_MEM_CACHE);
    rknn_tensor_mem *memory = rknn_create_mem2(bound.context, bound.input->size, RKNN_FLAG_MEMORY_NON_CACHEABLE);
    rknn_tensor_attr attr = bound.input_attr;
    CHECK_EQ(rknn_set_io_mem(bound.context, memory, &attr), RKNN_SUCC);
    bytes_of(memory)[0] = 7;
    CHECK_EQ(bound.run(), RKNN_SUCC);
    CHECK_EQ(rknn_destroy_mem(bound.context, memory), RKNN_SUCC);
}

TEST(what_the_npu_wrote_needs_no_flushing) {
    use_fake_device();
    const uint32_t flags = RKNN_FLAG_DISABLE_FLUSH_INPUT_MEM_CACHE;
    const Bound first(compute), second(compute, flags);
    // The first context's output lies in the memory that is the second one's input: under a name of its own, too.
    rknn_tensor_attr attr = attribute(first.context, RKNN_QUERY_OUTPUT_ATTR);
    rknn_tensor_mem *shared = rknn_create_mem(second.context, attr.size);
    rknn_tensor_mem *alias =
        rknn_create_mem_from_fd(first.context, shared->fd, shared->virt_addr, shared->size, shared->offset);
    rknn_tensor_attr input = second.input_attr;
    CHECK(attr.size >= input.size_with_stride);
    CHECK_EQ(rknn_set_io_mem(first.context, alias, &attr), RKNN_SUCC);
    CHECK_EQ(rknn_set_io_mem(second.context, shared, &input), RKNN_SUCC);
    for (const uint8_t number : {uint8_t{11}, uint8_t{12}}) {
        bytes_of(first.input)[0] = number;
        CHECK_EQ(first.run(), RKNN_SUCC);
        CHECK_EQ(second.run(), RKNN_SUCC);
        CHECK_EQ(int{bytes_of(second.output)[0]}, int{number});
    }
    // Flushed under one name is flushed under the other.
    bytes_of(shared)[0] = 99;
    CHECK_EQ(rknn_mem_sync(first.context, alias, RKNN_MEMORY_SYNC_TO_DEVICE), RKNN_SUCC);
    CHECK_EQ(second.run(), RKNN_SUCC);
    CHECK_EQ(rknn_destroy_mem(first.context, alias), RKNN_SUCC);
    CHECK_EQ(rknn_destroy_mem(second.context, shared), RKNN_SUCC);
}

TEST(weights_and_intermediate_tensors_in_the_programs_memory_must_be_there) {
    const TestContext ordinary(model_path("tiny_conv_int8"));
    rknn_tensor_mem *memory = rknn_create_mem(ordinary, 1 << 20);
    CHECK_EQ(rknn_set_weight_mem(ordinary, memory), RKNN_ERR_PARAM_INVALID);
    CHECK(last_error_has("RKNN_FLAG_MEM_ALLOC_OUTSIDE"));
    CHECK_EQ(rknn_set_internal_mem(ordinary, memory), RKNN_SUCC);
    CHECK_EQ(rknn_set_internal_mem(ordinary, nullptr), RKNN_ERR_PARAM_INVALID);

    const TestContext context(model_path("tiny_conv_int8"), "compute=off", RKNN_FLAG_MEM_ALLOC_OUTSIDE);
    rknn_mem_size sizes{};
    CHECK_EQ(rknn_query(context, RKNN_QUERY_MEM_SIZE, &sizes, sizeof sizes), RKNN_SUCC);
    CHECK_EQ(sizes.total_dma_allocated_size, 0U);
    std::vector<uint8_t> data(attribute(context, RKNN_QUERY_INPUT_ATTR).n_elems);
    rknn_input input = pixels(data);
    CHECK_EQ(rknn_inputs_set(context, 1, &input), RKNN_SUCC);
    CHECK_EQ(rknn_run(context, nullptr), RKNN_ERR_FAIL);
    CHECK(last_error_has("rknn_set_weight_mem"));
    rknn_tensor_mem *small = rknn_create_mem(context, sizes.total_weight_size - 1);
    CHECK_EQ(rknn_set_weight_mem(context, small), RKNN_ERR_PARAM_INVALID);
    CHECK_EQ(rknn_set_weight_mem(context, memory), RKNN_SUCC);
    CHECK_EQ(rknn_run(context, nullptr), RKNN_ERR_FAIL);
    CHECK(last_error_has("rknn_set_internal_mem"));
    CHECK_EQ(rknn_set_internal_mem(context, memory), RKNN_SUCC);
    CHECK_EQ(rknn_run(context, nullptr), RKNN_SUCC);
    rknn_context source = context;
    rknn_context duplicate = 0;
    CHECK_EQ(rknn_dup_context(&source, &duplicate), RKNN_SUCC);
    CHECK_EQ(rknn_run(duplicate, nullptr), RKNN_SUCC);
    CHECK_EQ(rknn_destroy(duplicate), RKNN_SUCC);
    CHECK_EQ(rknn_destroy_mem(ordinary, memory), RKNN_SUCC);
    CHECK_EQ(rknn_run(context, nullptr), RKNN_ERR_FAIL);
    CHECK(last_error_has("destroyed while the context needs it"));
    CHECK_EQ(rknn_destroy_mem(context, small), RKNN_SUCC);
}

TEST(each_set_of_shapes_has_its_own_bindings) {
    const TestContext context(model_path("dynamic_fp16"));
    rknn_input_range range{};
    CHECK_EQ(rknn_query(context, RKNN_QUERY_INPUT_DYNAMIC_RANGE, &range, sizeof range), RKNN_SUCC);
    CHECK(range.shape_number >= 2);
    const auto set_shape = [&](uint32_t shape) {
        rknn_tensor_attr attr = attribute(context, RKNN_QUERY_INPUT_ATTR);
        std::copy(range.dyn_range[shape], range.dyn_range[shape] + range.n_dims, attr.dims);
        attr.n_dims = range.n_dims;
        attr.fmt = range.fmt;
        CHECK_EQ(rknn_set_input_shapes(context, 1, &attr), RKNN_SUCC);
    };
    const auto bind = [&](rknn_tensor_mem *memory) {
        rknn_tensor_attr attr = attribute(context, RKNN_QUERY_CURRENT_NATIVE_INPUT_ATTR);
        return rknn_set_io_mem(context, memory, &attr);
    };
    rknn_tensor_attr largest = attribute(context, RKNN_QUERY_NATIVE_INPUT_ATTR);
    rknn_tensor_mem *large = rknn_create_mem(context, largest.size_with_stride);
    CHECK_EQ(rknn_set_io_mem(context, large, &largest), RKNN_ERR_FAIL);  // the vendor's library aborts
    CHECK(last_error_has("rknn_set_input_shapes"));
    const uint32_t last = range.shape_number - 1;
    set_shape(last);
    const uint32_t least = attribute(context, RKNN_QUERY_CURRENT_NATIVE_INPUT_ATTR).size_with_stride;
    rknn_tensor_mem *small = rknn_create_mem(context, least);
    CHECK_EQ(bind(large), RKNN_SUCC);  // may be larger than it need be
    CHECK_EQ(rknn_run(context, nullptr), RKNN_SUCC);
    CHECK_EQ(bind(small), RKNN_SUCC);
    set_shape(0);
    CHECK_EQ(rknn_run(context, nullptr), RKNN_SUCC);  // nothing is bound for these
    CHECK_EQ(bind(small), RKNN_ERR_FAIL);
    CHECK(last_error_has("input memory size("));
    CHECK_EQ(bind(large), RKNN_SUCC);
    CHECK_EQ(rknn_destroy_mem(context, small), RKNN_SUCC);
    CHECK_EQ(rknn_run(context, nullptr), RKNN_SUCC);
    set_shape(last);
    CHECK_EQ(rknn_run(context, nullptr), RKNN_ERR_FAIL);  // it was bound for these
    CHECK(last_error_has("was destroyed"));
    set_shape(0);
    CHECK_EQ(rknn_run(context, nullptr), RKNN_SUCC);
    CHECK_EQ(rknn_destroy_mem(context, large), RKNN_SUCC);
}

TEST(without_computing_bound_outputs_are_zero) {
    const Bound bound("compute=off");
    std::memset(bytes_of(bound.output), 0x55, bound.output->size);
    CHECK_EQ(bound.run(), RKNN_SUCC);
    CHECK_EQ(int{static_cast<int8_t>(bytes_of(bound.output)[0])}, bound.output_attr.zp);
    CHECK_EQ(int{static_cast<int8_t>(bytes_of(bound.output)[bound.output->size - 1])}, bound.output_attr.zp);
}
