/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated NPU's errors for uses of shared memory that would fail silently or crash on a board. */
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "devices/simulated/simulated_device.h"
#include "ez_rknn_simulator.h"
#include "tests/check.h"
#include "tests/simulator/bound.h"
#include "tests/simulator/support.h"

using namespace ez_rknn::tests;
using namespace ez_rknn::rknnrt;
using namespace ez_rknn::rknnrt::simulated;

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
    Board &board = simulated_device().boards().of(*find_soc("rk3588"));
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
    input.pass_through = 1;  // the vendor's library does not check here
    CHECK_EQ(rknn_set_io_mem(context, memory, &input), RKNN_ERR_PARAM_INVALID);
    rknn_tensor_attr output = attribute(context, RKNN_QUERY_NATIVE_OUTPUT_ATTR);
    CHECK_EQ(rknn_set_io_mem(context, memory, &output), RKNN_ERR_PARAM_INVALID);  // nor here
    CHECK(last_error_has("output memory size(16)"));
    CHECK_EQ(rknn_run(context, nullptr), RKNN_SUCC);  // nothing was bound
    CHECK_EQ(rknn_destroy_mem(context, memory), RKNN_SUCC);
}

TEST(rejects_invalid_attributes) {
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

TEST(the_program_s_memory_for_weights_and_intermediate_tensors_must_exist) {
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
    CHECK_EQ(bind(large), RKNN_SUCC);  // may be larger than necessary
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

TEST(bound_outputs_are_zero_with_compute_off) {
    const Bound bound("compute=off");
    std::memset(bytes_of(bound.output), 0x55, bound.output->size);
    CHECK_EQ(bound.run(), RKNN_SUCC);
    CHECK_EQ(int{static_cast<int8_t>(bytes_of(bound.output)[0])}, bound.output_attr.zp);
    CHECK_EQ(int{static_cast<int8_t>(bytes_of(bound.output)[bound.output->size - 1])}, bound.output_attr.zp);
}
