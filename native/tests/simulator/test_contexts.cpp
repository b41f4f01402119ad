/* SPDX-License-Identifier: Apache-2.0 */
/* The interface's functions with compute off: handles, return codes, threads, cores, time. */
#include <atomic>
#include <chrono>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "ez_rknn_simulator.h"
#include "tests/check.h"
#include "tests/simulator/support.h"

using namespace ez_rknn::tests;

namespace {

bool last_error_has(const char *text) {
    return std::strstr(ez_rknn_last_error(), text) != nullptr;
}

int set_pixels(rknn_context context, std::vector<uint8_t> &data) {
    rknn_input input = pixels(data);
    return rknn_inputs_set(context, 1, &input);
}

int query(rknn_context context, int command, uint32_t index, uint32_t size) {
    alignas(8) static thread_local unsigned char info[sizeof(rknn_input_range)];
    std::memset(info, 0, sizeof info);
    std::memcpy(info, &index, sizeof index);
    return rknn_query(context, static_cast<rknn_query_cmd>(command), info, size);
}

uint64_t runs_of(const char *soc, uint32_t core) {
    ez_rknn_core_counters counters{};
    CHECK_EQ(ez_rknn_simulator_counters(soc, core, &counters), RKNN_SUCC);
    return counters.runs;
}

double seconds_for(const std::vector<rknn_context> &contexts, int rounds) {
    const auto begin = std::chrono::steady_clock::now();
    std::vector<std::thread> threads;
    for (const rknn_context context : contexts) {
        threads.emplace_back([context, rounds] {
            for (int round = 0; round < rounds; ++round) CHECK_EQ(rknn_run(context, nullptr), RKNN_SUCC);
        });
    }
    for (std::thread &thread : threads) thread.join();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

TEST(destroying_an_original_before_its_duplicates_is_reported_and_they_still_run) {
    TestContext original(model_path("tiny_conv_int8"));
    rknn_context duplicate = 0;
    CHECK_EQ(rknn_dup_context(&original.handle, &duplicate), RKNN_SUCC);
    rknn_context second = 0;
    CHECK_EQ(rknn_dup_context(&duplicate, &second), RKNN_SUCC);
    CHECK_EQ(rknn_destroy(original), RKNN_ERR_FAIL);
    CHECK(last_error_has("duplicates of it still exist"));
    CHECK_EQ(rknn_run(original, nullptr), RKNN_ERR_CTX_INVALID);  // it is destroyed anyway
    original.handle = 0;
    CHECK_EQ(rknn_run(duplicate, nullptr), RKNN_SUCC);
    CHECK_EQ(rknn_destroy(duplicate), RKNN_ERR_FAIL);  // a duplicate of its own
    CHECK_EQ(rknn_run(second, nullptr), RKNN_SUCC);
    CHECK_EQ(rknn_destroy(second), RKNN_SUCC);
}

TEST(invalid_handles_are_recognised) {
    rknn_context context = 0;
    {
        const TestContext opened(model_path("tiny_conv_int8"));
        context = opened;
        rknn_context copy = context;
        rknn_context duplicate = 0;
        CHECK_EQ(rknn_dup_context(&copy, &duplicate), RKNN_SUCC);
        CHECK(duplicate != context);
        CHECK_EQ(rknn_destroy(duplicate), RKNN_SUCC);
        CHECK_EQ(rknn_run(duplicate, nullptr), RKNN_ERR_CTX_INVALID);
    }
    for (const rknn_context wild : {context, rknn_context{0}, rknn_context{0x1234}, ~rknn_context{0}}) {
        CHECK_EQ(rknn_destroy(wild), RKNN_ERR_CTX_INVALID);
        CHECK_EQ(rknn_run(wild, nullptr), RKNN_ERR_CTX_INVALID);
        CHECK_EQ(rknn_wait(wild, nullptr), RKNN_ERR_CTX_INVALID);
        CHECK_EQ(rknn_inputs_set(wild, 0, nullptr), RKNN_ERR_CTX_INVALID);
        CHECK_EQ(rknn_outputs_get(wild, 0, nullptr, nullptr), RKNN_ERR_CTX_INVALID);
        CHECK_EQ(rknn_set_core_mask(wild, RKNN_NPU_CORE_AUTO), RKNN_ERR_CTX_INVALID);
        CHECK_EQ(query(wild, RKNN_QUERY_IN_OUT_NUM, 0, 8), RKNN_ERR_CTX_INVALID);
        CHECK(rknn_create_mem(wild, 16) == nullptr);
    }
}

TEST(rknn_init_says_what_is_wrong_and_leaves_no_handle) {
    rknn_context context = 77;
    char zeros[100] = {};
    CHECK_EQ(rknn_init(nullptr, zeros, 100, 0, nullptr), RKNN_ERR_CTX_INVALID);
    CHECK_EQ(rknn_init(&context, nullptr, 100, 0, nullptr), RKNN_ERR_MODEL_INVALID);
    CHECK_EQ(context, 0U);
    CHECK_EQ(rknn_init(&context, zeros, 100, 0, nullptr), RKNN_ERR_MODEL_INVALID);
    CHECK(last_error_has("MAGIC"));
    CHECK_EQ(rknn_init(&context, zeros, 4, 0, nullptr), RKNN_ERR_MODEL_INVALID);
    CHECK(last_error_has("too small"));
    CHECK_EQ(TestContext("/nowhere/model.rknn").code, RKNN_ERR_MODEL_INVALID);
    CHECK(last_error_has("/nowhere/model.rknn"));
    CHECK_EQ(TestContext(model_path("mini_int8")).code, RKNN_ERR_MODEL_INVALID);
    CHECK(last_error_has("mini format"));
    CHECK(last_error_has("toolkit 2.5.0 for RK3588"));
    CHECK_EQ(TestContext(model_path("tiny_conv_int8"), "compute=off", RKNN_FLAG_SHARE_WEIGHT_MEM).code,
             RKNN_ERR_PARAM_INVALID);
    CHECK_EQ(TestContext(model_path("rk3566_block_int8"), "compute=off,soc=rk3588").code, RKNN_ERR_MODEL_INVALID);
    CHECK(last_error_has("This rknn model is for RK3566, but current platform is RK3588"));
    CHECK_EQ(TestContext(model_path("rk3566_block_int8"), "compute=off,soc=rk3568").code, RKNN_SUCC);
}

TEST(a_model_can_be_given_as_bytes) {
    std::string file = read_file(model_path("custom_string_fp16"));
    rknn_context context = 0;
    ez_rknn_simulator_configure("compute=off");
    CHECK_EQ(rknn_init(&context, file.data(), static_cast<uint32_t>(file.size()), 0, nullptr), RKNN_SUCC);
    file.assign(file.size(), '\0');  // the bytes may be reused
    rknn_custom_string text{};
    CHECK_EQ(rknn_query(context, RKNN_QUERY_CUSTOM_STRING, &text, sizeof text), RKNN_SUCC);
    CHECK(std::string(text.string) != "");
    CHECK_EQ(rknn_destroy(context), RKNN_SUCC);
}

TEST(queries_check_their_arguments) {
    const TestContext context(model_path("tiny_conv_int8"));
    CHECK_EQ(rknn_query(context, RKNN_QUERY_IN_OUT_NUM, nullptr, 8), RKNN_ERR_PARAM_INVALID);
    struct Case {
        int command;
        uint32_t index, size;
        int code;
    };
    const uint32_t attr = sizeof(rknn_tensor_attr);
    for (const Case &expected : std::vector<Case>{{RKNN_QUERY_IN_OUT_NUM, 0, 7, -5},
                                                  {RKNN_QUERY_INPUT_ATTR, 0, attr - 1, -5},
                                                  {RKNN_QUERY_INPUT_ATTR, 0, attr + 100, 0},
                                                  {RKNN_QUERY_OUTPUT_ATTR, 0, attr - 1, -5},
                                                  {RKNN_QUERY_PERF_DETAIL, 0, 15, -5},
                                                  {RKNN_QUERY_PERF_RUN, 0, 7, -5},
                                                  {RKNN_QUERY_SDK_VERSION, 0, 511, -5},
                                                  {RKNN_QUERY_MEM_SIZE, 0, 63, 0},
                                                  {RKNN_QUERY_CUSTOM_STRING, 0, 1023, -5},
                                                  {8, 0, attr - 1, -5},
                                                  {9, 0, attr - 1, -5},
                                                  {10, 0, attr - 1, 0},
                                                  {11, 0, attr - 1, -5},
                                                  {13, 0, 33039, -6},
                                                  {14, 0, attr - 1, -5},
                                                  {14, 0, attr, -6},
                                                  {-1, 0, attr, -1},
                                                  {12, 0, attr, -1},
                                                  {18, 0, attr, -5},
                                                  {100, 0, attr, -5},
                                                  {1, 1, attr, -5},
                                                  {2, 1, attr, -5},
                                                  {8, 1, attr, -5},
                                                  {9, 1, attr, -5},
                                                  {10, 1, attr, 0},
                                                  {11, 1, attr, -5}}) {
        const std::string where = "query " + std::to_string(expected.command) + " ";
        CHECK_EQ(where + std::to_string(query(context, expected.command, expected.index, expected.size)),
                 where + std::to_string(expected.code));
    }
}

TEST(inputs_are_checked_before_they_are_read) {
    const TestContext context(model_path("tiny_conv_int8"));
    std::vector<uint8_t> data(attribute(context, RKNN_QUERY_INPUT_ATTR).n_elems);
    CHECK_EQ(set_pixels(context, data), RKNN_SUCC);
    CHECK_EQ(rknn_inputs_set(context, 0, nullptr), RKNN_SUCC);
    CHECK_EQ(rknn_inputs_set(context, 1, nullptr), RKNN_ERR_PARAM_INVALID);
    rknn_input inputs[2] = {pixels(data), pixels(data)};
    CHECK_EQ(rknn_inputs_set(context, 2, inputs), RKNN_ERR_PARAM_INVALID);
    inputs[0].index = 5;  // only the position is used
    CHECK_EQ(rknn_inputs_set(context, 1, inputs), RKNN_SUCC);
    struct Case {
        rknn_tensor_type type;
        rknn_tensor_format fmt;
        uint32_t size;
        int code;
    };
    const auto size = static_cast<uint32_t>(data.size());
    for (const Case &expected : std::vector<Case>{{RKNN_TENSOR_UINT8, RKNN_TENSOR_NHWC, size - 1, -5},
                                                  {RKNN_TENSOR_FLOAT32, RKNN_TENSOR_NHWC, size, -5},
                                                  {RKNN_TENSOR_INT16, RKNN_TENSOR_NHWC, size, -5},
                                                  {RKNN_TENSOR_TYPE_MAX, RKNN_TENSOR_NHWC, size, -5},
                                                  {RKNN_TENSOR_UINT8, RKNN_TENSOR_FORMAT_MAX, size, -5},
                                                  {RKNN_TENSOR_BOOL, RKNN_TENSOR_NHWC, size, 0},
                                                  {RKNN_TENSOR_UINT8, RKNN_TENSOR_NCHW, size, 0}}) {
        rknn_input input = pixels(data);
        input.type = expected.type;
        input.fmt = expected.fmt;
        input.size = expected.size;
        CHECK_EQ(rknn_inputs_set(context, 1, &input), expected.code);
    }
    rknn_input input = pixels(data);
    input.buf = nullptr;
    CHECK_EQ(rknn_inputs_set(context, 1, &input), RKNN_ERR_PARAM_INVALID);
    std::vector<uint8_t> large(1 << 20, 1);
    input = pixels(large);
    input.pass_through = 1;  // more than the buffer holds: the rest is dropped
    CHECK_EQ(rknn_inputs_set(context, 1, &input), RKNN_SUCC);
}

TEST(outputs_have_the_requested_type_and_size) {
    const TestContext context(model_path("tiny_conv_int8"));
    const rknn_tensor_attr attr = attribute(context, RKNN_QUERY_OUTPUT_ATTR);
    CHECK_EQ(rknn_run(context, nullptr), RKNN_SUCC);
    std::vector<float> data(attr.n_elems + 4, 99.F);
    rknn_output output = floats(data);
    CHECK_EQ(rknn_outputs_get(context, 1, &output, nullptr), RKNN_SUCC);
    CHECK_EQ(data[attr.n_elems - 1], 0.F);  // compute is off: zeros, as real numbers
    CHECK_EQ(data[attr.n_elems], 99.F);
    CHECK_EQ(output.size, data.size() * sizeof(float));
    data.assign(data.size(), 99.F);
    output.size = attr.n_elems * 4 - 1;
    CHECK_EQ(rknn_outputs_get(context, 1, &output, nullptr), RKNN_SUCC);  // too small: nothing is written
    CHECK_EQ(data[0], 99.F);
    output.size = attr.n_elems * 4;
    output.buf = nullptr;
    CHECK_EQ(rknn_outputs_get(context, 1, &output, nullptr), RKNN_SUCC);
    rknn_output allocated{};
    CHECK_EQ(rknn_outputs_get(context, 1, &allocated, nullptr), RKNN_SUCC);
    CHECK_EQ(allocated.size, attr.size);
    CHECK_EQ(int{static_cast<int8_t *>(allocated.buf)[0]}, attr.zp);
    CHECK_EQ(rknn_outputs_release(context, 1, &allocated), RKNN_SUCC);
    CHECK_EQ(rknn_outputs_release(context, 1, &allocated), RKNN_SUCC);
    CHECK_EQ(rknn_outputs_get(context, 0, nullptr, nullptr), RKNN_SUCC);
    CHECK_EQ(rknn_outputs_get(context, 1, nullptr, nullptr), RKNN_ERR_PARAM_INVALID);
    CHECK_EQ(rknn_outputs_get(context, 2, &output, nullptr), RKNN_ERR_PARAM_INVALID);
}

TEST(only_the_soc_s_core_masks_are_accepted) {
    struct Case {
        const char *model;
        int mask;
        int code;
    };
    for (const Case &expected : std::vector<Case>{{"block_int8", 0, 0},
                                                  {"block_int8", 1, 0},
                                                  {"block_int8", 2, 0},
                                                  {"block_int8", 4, 0},
                                                  {"block_int8", 3, 0},
                                                  {"block_int8", 7, 0},
                                                  {"block_int8", 5, -1},
                                                  {"block_int8", 6, -1},
                                                  {"block_int8", 8, -1},
                                                  {"block_int8", -1, -1},
                                                  {"block_int8", 0xFFFF, 0},
                                                  {"rk3576_block_int8", 3, 0},
                                                  {"rk3576_block_int8", 4, -1},
                                                  {"rk3576_block_int8", 7, -1},
                                                  {"rk3576_block_int8", 0xFFFF, 0},
                                                  {"rk3566_block_int8", 0, -13},
                                                  {"rk3566_block_int8", 1, -13},
                                                  {"dynamic_fp16", 7, 0}}) {
        const TestContext context(model_path(expected.model));
        CHECK_EQ(context.code, RKNN_SUCC);
        const std::string where = std::string(expected.model) + " mask " + std::to_string(expected.mask) + ": ";
        CHECK_EQ(where + std::to_string(rknn_set_core_mask(context, static_cast<rknn_core_mask>(expected.mask))),
                 where + std::to_string(expected.code));
    }
}

TEST(a_mask_occupies_its_cores_and_a_single_core_model_only_the_first) {
    struct Case {
        const char *model;
        int mask;
        uint64_t runs[3];
    };
    for (const Case &expected : std::vector<Case>{{"block_int8", 1, {1, 0, 0}},
                                                  {"block_int8", 4, {0, 0, 1}},
                                                  {"block_int8", 3, {1, 1, 0}},
                                                  {"block_int8", 7, {1, 1, 1}},
                                                  {"block_int8", 0xFFFF, {1, 1, 1}},
                                                  {"block_int8", 5, {1, 0, 0}},
                                                  {"single_core_int8", 7, {1, 0, 0}},
                                                  {"single_core_int8", 2, {0, 1, 0}}}) {
        const TestContext context(model_path(expected.model));
        ez_rknn_simulator_reset_counters();
        rknn_set_core_mask(context, static_cast<rknn_core_mask>(expected.mask));
        CHECK_EQ(rknn_run(context, nullptr), RKNN_SUCC);
        for (uint32_t core = 0; core < 3; ++core) CHECK_EQ(runs_of("rk3588", core), expected.runs[core]);
    }
    ez_rknn_core_counters counters{};
    CHECK_EQ(ez_rknn_simulator_counters("rk3588", 3, &counters), RKNN_ERR_PARAM_INVALID);
    CHECK_EQ(ez_rknn_simulator_counters("rk1", 0, &counters), RKNN_ERR_PARAM_INVALID);
    CHECK_EQ(ez_rknn_simulator_counters("rk3588", 0, nullptr), RKNN_ERR_PARAM_INVALID);
}

TEST(a_run_takes_the_set_time_and_cores_run_in_parallel) {
    const TestContext zero(model_path("block_int8"), "compute=off,timing=fixed:5000");
    const TestContext one(model_path("block_int8"), "compute=off,timing=fixed:5000");
    CHECK_EQ(rknn_set_core_mask(zero, RKNN_NPU_CORE_0), RKNN_SUCC);
    CHECK_EQ(rknn_set_core_mask(one, RKNN_NPU_CORE_0), RKNN_SUCC);
    // Lower bounds hold on any machine; that two cores are faster than one is asserted with a margin of a quarter.
    const double in_line = seconds_for({zero, one}, 10);
    CHECK(in_line >= 0.1);
    CHECK_EQ(rknn_set_core_mask(one, RKNN_NPU_CORE_1), RKNN_SUCC);
    double side_by_side = seconds_for({zero, one}, 10);
    CHECK(side_by_side >= 0.05);
    // A busy machine may wake both threads late, but not each time.
    for (int i = 0; i < 50 && side_by_side >= 0.75 * in_line; ++i) side_by_side = seconds_for({zero, one}, 10);
    CHECK(side_by_side < 0.75 * in_line);
    rknn_perf_run perf{};
    CHECK_EQ(rknn_query(zero, RKNN_QUERY_PERF_RUN, &perf, sizeof perf), RKNN_SUCC);
    CHECK(perf.run_duration >= 5000);
}

TEST(a_slow_core_is_slower_by_its_factor) {
    const TestContext context(model_path("block_int8"), "compute=off,timing=fixed:1000,slowdown=1:20");
    CHECK_EQ(rknn_set_core_mask(context, RKNN_NPU_CORE_1), RKNN_SUCC);
    CHECK(seconds_for({context}, 1) >= 0.02);
    ez_rknn_simulator_reset_counters();
    CHECK_EQ(rknn_run(context, nullptr), RKNN_SUCC);
    ez_rknn_core_counters counters{};
    CHECK_EQ(ez_rknn_simulator_counters("rk3588", 1, &counters), RKNN_SUCC);
    CHECK(counters.busy_ns >= 20000000);
    CHECK_EQ(runs_of("rk3588", 0), 0U);
}

TEST(one_context_in_two_threads_is_refused) {
    const TestContext context(model_path("tiny_conv_int8"), "compute=off,timing=fixed:2000");
    std::atomic<bool> refused{false};
    const auto use = [&] {
        while (!refused) {
            const int code = rknn_run(context, nullptr);
            if (code == RKNN_SUCC) continue;
            CHECK_EQ(code, RKNN_ERR_FAIL);
            CHECK(last_error_has("thread"));
            refused = true;
        }
    };
    std::thread other(use);
    use();
    other.join();
    CHECK_EQ(rknn_run(context, nullptr), RKNN_SUCC);
}

TEST(dynamic_models_run_with_the_shapes_that_were_set) {
    const TestContext context(model_path("dynamic_fp16"));
    CHECK_EQ(context.code, RKNN_SUCC);
    CHECK_EQ(rknn_run(context, nullptr), RKNN_ERR_FAIL);
    CHECK(last_error_has("rknn_set_input_shapes"));
    CHECK_EQ(query(context, RKNN_QUERY_CURRENT_INPUT_ATTR, 0, sizeof(rknn_tensor_attr)), RKNN_ERR_CTX_INVALID);
    rknn_input_range range{};
    CHECK_EQ(rknn_query(context, RKNN_QUERY_INPUT_DYNAMIC_RANGE, &range, sizeof range), RKNN_SUCC);
    CHECK(range.shape_number >= 2);
    rknn_tensor_attr attr = attribute(context, RKNN_QUERY_INPUT_ATTR);
    for (uint32_t shape = 0; shape < range.shape_number; ++shape) {
        std::memcpy(attr.dims, range.dyn_range[shape], sizeof attr.dims);
        CHECK_EQ(rknn_set_input_shapes(context, 1, &attr), RKNN_SUCC);
        const rknn_tensor_attr current = attribute(context, RKNN_QUERY_CURRENT_INPUT_ATTR);
        CHECK(std::memcmp(current.dims, attr.dims, sizeof attr.dims) == 0);
        std::vector<uint8_t> data(current.n_elems);
        CHECK_EQ(set_pixels(context, data), RKNN_SUCC);
        CHECK_EQ(rknn_run(context, nullptr), RKNN_SUCC);
        std::vector<float> result(attribute(context, RKNN_QUERY_CURRENT_OUTPUT_ATTR).n_elems, 99.F);
        rknn_output output = floats(result);
        CHECK_EQ(rknn_outputs_get(context, 1, &output, nullptr), RKNN_SUCC);
        CHECK_EQ(result.back(), 0.F);
    }
    attr.dims[1] += 1;
    CHECK_EQ(rknn_set_input_shapes(context, 1, &attr), RKNN_ERR_FAIL);
    attr.fmt = RKNN_TENSOR_NCHW;
    CHECK_EQ(rknn_set_input_shapes(context, 1, &attr), RKNN_ERR_PARAM_INVALID);
    const TestContext fixed(model_path("tiny_conv_int8"));
    CHECK_EQ(rknn_set_input_shapes(fixed, 1, &attr), RKNN_ERR_MODEL_INVALID);
}

TEST(performance_can_be_queried_after_a_run) {
    const TestContext context(model_path("block_int8"), "compute=off,timing=modelled", RKNN_FLAG_COLLECT_PERF_MASK);
    CHECK_EQ(rknn_run(context, nullptr), RKNN_SUCC);
    rknn_perf_detail detail{};
    CHECK_EQ(rknn_query(context, RKNN_QUERY_PERF_DETAIL, &detail, sizeof detail), RKNN_SUCC);
    CHECK_EQ(detail.data_len, std::strlen(detail.perf_data));
    for (const char *word : {"modelled", "ConvRelu", "MaxPool", "Total Operator Elapsed Time(us)"}) {
        CHECK(std::strstr(detail.perf_data, word) != nullptr);
    }
}

TEST(rknn_wait_needs_a_fence) {
    const TestContext context(model_path("tiny_conv_int8"));
    CHECK_EQ(rknn_wait(context, nullptr), RKNN_ERR_FAIL);
    const TestContext fenced(model_path("tiny_conv_int8"), "compute=off", RKNN_FLAG_FENCE_OUT_OUTSIDE);
    CHECK_EQ(rknn_wait(fenced, nullptr), RKNN_SUCC);
}
