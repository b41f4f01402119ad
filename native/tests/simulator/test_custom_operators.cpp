/* SPDX-License-Identifier: Apache-2.0 */
/* Custom operators: registration, the order and arguments of their calls, and failures. The fake device replaces the
 * one that computes: each stage gives bytes that identify their source. */
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "ez_rknn_simulator.h"
#include "rknnrt/base/bytes.h"
#include "rknnrt/base/status.h"
#include "rknnrt/file/operator_attributes.h"
#include "tests/check.h"
#include "tests/simulator/support.h"

using namespace ez_rknn::tests;

namespace {

constexpr const char *compute_on = "compute=on";

bool last_error_has(const std::string &text) {
    return std::string(ez_rknn_last_error()).find(text) != std::string::npos;
}

/* The arguments of the functions below, in order of the calls. */
struct Calls {
    std::vector<std::string> made; /* "init cstBlend" */
    std::function<int(rknn_custom_op_context *)> on_init;
    std::function<int(rknn_custom_op_tensor *, uint32_t, rknn_custom_op_tensor *, uint32_t)> on_compute;

    long count(const std::string &call) const { return std::count(made.begin(), made.end(), call); }
};
Calls calls;

std::string text_attribute(rknn_custom_op_context *context, const char *name) {
    rknn_custom_op_attr attribute;
    rknn_custom_op_get_op_attr(context, name, &attribute);
    CHECK_EQ(attribute.dtype, RKNN_TENSOR_UINT8);
    const auto *text = static_cast<const char *>(attribute.data);
    CHECK_EQ(std::strlen(text), attribute.n_elems);
    return text;
}

/* The type of an operator, by its name: "blend" or "double" followed by a number. */
std::string kind(rknn_custom_op_context *context) {
    return text_attribute(context, "name").rfind("cstblend", 0) == 0 ? "cstBlend" : "cstDouble";
}

int init(rknn_custom_op_context *context, rknn_custom_op_tensor *, uint32_t, rknn_custom_op_tensor *, uint32_t) {
    calls.made.push_back("init " + kind(context));
    return calls.on_init ? calls.on_init(context) : 0;
}
int prepare(rknn_custom_op_context *context, rknn_custom_op_tensor *, uint32_t, rknn_custom_op_tensor *, uint32_t) {
    calls.made.push_back("prepare " + kind(context));
    return 0;
}
int compute(rknn_custom_op_context *context, rknn_custom_op_tensor *inputs, uint32_t input_count,
            rknn_custom_op_tensor *outputs, uint32_t output_count) {
    calls.made.push_back("compute " + kind(context));
    return calls.on_compute ? calls.on_compute(inputs, input_count, outputs, output_count) : 0;
}
int destroy(rknn_custom_op_context *context) {
    calls.made.push_back("destroy " + kind(context));
    return 0;
}

rknn_custom_op operator_of(const char *type, uint32_t version = 1) {
    rknn_custom_op result{};
    result.version = version;
    result.target = RKNN_TARGET_TYPE_CPU;
    std::strncpy(result.op_type, type, sizeof result.op_type - 1);
    result.init = init;
    result.prepare = prepare;
    result.compute = compute;
    result.destroy = destroy;
    return result;
}

std::vector<rknn_custom_op> both() {
    return {operator_of("cstDouble"), operator_of("cstBlend")};
}

int add(rknn_context context, std::vector<rknn_custom_op> operators) {
    return rknn_register_custom_ops(context, operators.data(), static_cast<uint32_t>(operators.size()));
}

uint8_t *data_of(rknn_custom_op_tensor &tensor) {
    return static_cast<uint8_t *>(tensor.mem.virt_addr) + tensor.mem.offset;
}

/* The model with cstBlend (three inputs, two outputs) followed by cstDouble. */
class Blend : public TestContext {
  public:
    explicit Blend(const std::string &settings = compute_on, const char *model = "custom_blend_int8")
        : TestContext((start(), model_path(model)), settings) {
        CHECK_EQ(code, RKNN_SUCC);
    }

  private:
    static void start() {
        calls = {};
        setenv("EZ_RKNN_PYTHON", EZ_RKNN_FAKE_DEVICE_PATH, 1);
        unsetenv("EZ_RKNN_FAKE_DEVICE");
    }
};

}  // namespace

TEST(a_run_fails_with_a_clear_message_until_every_custom_operator_is_registered) {
    const Blend context;
    CHECK_EQ(rknn_run(context, nullptr), RKNN_ERR_FAIL);
    CHECK(last_error_has("cstBlend, cstDouble"));
    CHECK(last_error_has("rknn_register_custom_ops"));
    CHECK_EQ(add(context, {operator_of("cstBlend")}), RKNN_SUCC);
    CHECK_EQ(rknn_run(context, nullptr), RKNN_ERR_FAIL);
    CHECK(!last_error_has("cstBlend"));
    CHECK_EQ(add(context, {operator_of("cstDouble")}), RKNN_SUCC);
    CHECK_EQ(rknn_run(context, nullptr), RKNN_SUCC);
}

TEST(with_compute_off_nothing_must_be_registered_and_no_function_computes) {
    const Blend context("compute=off");
    CHECK_EQ(rknn_run(context, nullptr), RKNN_SUCC);
    CHECK_EQ(add(context, both()), RKNN_SUCC);
    CHECK_EQ(rknn_run(context, nullptr), RKNN_SUCC);
    CHECK_EQ(calls.count("init cstBlend"), 1);
    CHECK_EQ(calls.count("compute cstBlend"), 0);
}

TEST(functions_are_called_in_the_order_of_the_model) {
    {
        const Blend context;
        CHECK_EQ(add(context, both()), RKNN_SUCC);
        CHECK_EQ(rknn_run(context, nullptr), RKNN_SUCC);
        CHECK_EQ(rknn_run(context, nullptr), RKNN_SUCC);
    }
    const std::vector<std::string> run = {"prepare cstBlend", "compute cstBlend", "prepare cstDouble",
                                          "compute cstDouble"};
    std::vector<std::string> expected = {"init cstBlend", "init cstDouble"};
    expected.insert(expected.end(), run.begin(), run.end());
    expected.insert(expected.end(), run.begin(), run.end());
    expected.insert(expected.end(), {"destroy cstDouble", "destroy cstBlend"});
    CHECK(calls.made == expected);
}

TEST(an_operator_sees_float32_in_onnx_order_behind_the_offset) {
    const Blend context;
    bool blend = true;
    calls.on_compute = [&](rknn_custom_op_tensor *inputs, uint32_t input_count, rknn_custom_op_tensor *outputs,
                           uint32_t output_count) {
        CHECK_EQ(input_count, blend ? 3U : 1U);
        CHECK_EQ(output_count, blend ? 2U : 1U);
        const rknn_tensor_attr &image = inputs[0].attr;
        CHECK_EQ(image.type, RKNN_TENSOR_FLOAT32);
        CHECK_EQ(image.fmt, RKNN_TENSOR_NCHW);
        CHECK_EQ(image.n_dims, 4U);
        const uint32_t dims[] = {1, 8, 8, 8};
        CHECK(std::equal(dims, dims + 4, image.dims));
        CHECK_EQ(image.n_elems, 512U);
        CHECK_EQ(image.size, 2048U);
        CHECK_EQ(inputs[0].mem.size, 2048U);
        CHECK(inputs[0].mem.offset > 0);
        CHECK(image.scale > 0 && image.scale < 1);  // of the underlying int8 tensor
        if (blend) {
            CHECK_EQ(std::string(image.name), "relu1");
            CHECK_EQ(inputs[2].attr.fmt, RKNN_TENSOR_UNDEFINED);  // a constant: a gain for each of eight channels
            CHECK_EQ(inputs[2].attr.n_elems, 8U);
        }
        blend = false;
        static_cast<void>(outputs);
        return 0;
    };
    CHECK_EQ(add(context, both()), RKNN_SUCC);
    CHECK_EQ(rknn_run(context, nullptr), RKNN_SUCC);
}

TEST(an_operator_s_outputs_go_into_the_next_stage) {
    const Blend context;
    std::vector<uint8_t> image(3 * 8 * 8, 7);
    rknn_input input{0, image.data(), static_cast<uint32_t>(image.size()), 0, RKNN_TENSOR_INT8, RKNN_TENSOR_NHWC};
    std::vector<int> seen;
    calls.on_compute = [&](rknn_custom_op_tensor *inputs, uint32_t count, rknn_custom_op_tensor *outputs, uint32_t) {
        for (uint32_t i = 0; i < count; ++i) seen.push_back(*data_of(inputs[i]));
        std::memset(data_of(outputs[0]), *data_of(inputs[0]) + 10, outputs[0].mem.size);
        return 0;
    };
    CHECK_EQ(add(context, both()), RKNN_SUCC);
    CHECK_EQ(rknn_inputs_set(context, 1, &input), RKNN_SUCC);
    CHECK_EQ(rknn_run(context, nullptr), RKNN_SUCC);
    CHECK(seen == (std::vector<int>{7, 8, 9, 17}));  // the fake device numbers a stage's results
    rknn_output output{};
    CHECK_EQ(rknn_outputs_get(context, 1, &output, nullptr), RKNN_SUCC);
    CHECK_EQ(int{static_cast<uint8_t *>(output.buf)[5]}, 27);
    CHECK_EQ(rknn_outputs_release(context, 1, &output), RKNN_SUCC);
}

TEST(attributes_have_the_types_that_the_interface_promises) {
    const Blend context;
    calls.on_init = [](rknn_custom_op_context *op) {
        if (kind(op) != "cstBlend") return 0;
        const auto get = [&](const char *name, rknn_tensor_type type, uint32_t count) {
            rknn_custom_op_attr attribute;
            rknn_custom_op_get_op_attr(op, name, &attribute);
            CHECK_EQ(std::string(attribute.name), name);
            CHECK_EQ(attribute.dtype, type);
            CHECK_EQ(attribute.n_elems, count);
            return attribute.data;
        };
        CHECK_EQ(*static_cast<float *>(get("alpha", RKNN_TENSOR_FLOAT32, 1)), 0.25F);
        CHECK_EQ(*static_cast<int64_t *>(get("repeat", RKNN_TENSOR_INT64, 1)), 2);
        const auto *signs = static_cast<int64_t *>(get("signs", RKNN_TENSOR_INT64, 2));
        CHECK_EQ(signs[0], 1);
        CHECK_EQ(signs[1], -1);
        const auto *offsets = static_cast<float *>(get("offsets", RKNN_TENSOR_FLOAT32, 3));
        CHECK_EQ(offsets[2], 0.125F);
        CHECK_EQ(text_attribute(op, "mode"), "difference");
        CHECK_EQ(text_attribute(op, "name"), "cstblend3");
        rknn_custom_op_attr none;
        rknn_custom_op_get_op_attr(op, "beta", &none);
        CHECK_EQ(none.n_elems, 0U);
        CHECK(none.data == nullptr);
        rknn_custom_op_get_op_attr(op, nullptr, &none);
        rknn_custom_op_get_op_attr(nullptr, "alpha", &none);
        CHECK_EQ(none.n_elems, 0U);
        rknn_custom_op_get_op_attr(op, "alpha", nullptr);
        CHECK(last_error_has("NULL"));
        return 0;
    };
    CHECK_EQ(add(context, both()), RKNN_SUCC);
    CHECK_EQ(calls.count("init cstBlend"), 1);
}

TEST(rejects_invalid_operators_with_a_clear_message) {
    const Blend context;
    struct Case {
        const char *text;
        std::function<void(std::vector<rknn_custom_op> &)> spoil;
    };
    for (const Case &one : std::vector<Case>{
             {"no custom operators are given", [](auto &operators) { operators.clear(); }},
             {"operator 1 has no op_type", [](auto &operators) { operators[1].op_type[0] = 0; }},
             {"for the GPU", [](auto &operators) { operators[0].target = RKNN_TARGET_TYPE_GPU; }},
             {"for target 7", [](auto &operators) { operators[0].target = static_cast<rknn_target_type>(7); }},
             {"no function compute", [](auto &operators) { operators[0].compute = nullptr; }},
             {"compute_native is reserved",
              [](auto &operators) {
                  operators[0].compute_native = operators[0].compute;
                  operators[0].compute = nullptr;
              }},
             {"version 1 is given twice", [](auto &operators) { operators.push_back(operators[0]); }}}) {
        std::vector<rknn_custom_op> operators = both();
        one.spoil(operators);
        CHECK_EQ(add(context, operators), RKNN_ERR_PARAM_INVALID);
        CHECK(last_error_has(one.text));
    }
    CHECK_EQ(rknn_register_custom_ops(context, nullptr, 1), RKNN_ERR_PARAM_INVALID);
    CHECK_EQ(rknn_register_custom_ops(0, both().data(), 2), RKNN_ERR_CTX_INVALID);
    CHECK(calls.made.empty());  // nothing was begun
    CHECK_EQ(add(context, both()), RKNN_SUCC);
    CHECK_EQ(add(context, {operator_of("cstDouble", 2)}), RKNN_ERR_PARAM_INVALID);
    CHECK(last_error_has("registered already"));
}

TEST(operators_missing_from_the_model_are_harmless) {
    const Blend context;
    std::vector<rknn_custom_op> operators = both();
    operators.push_back(operator_of("cstElsewhere"));
    CHECK_EQ(add(context, operators), RKNN_SUCC);
    CHECK_EQ(rknn_run(context, nullptr), RKNN_SUCC);
}

TEST(the_newest_of_several_versions_computes) {
    const Blend context;
    rknn_custom_op old = operator_of("cstDouble", 1);
    old.compute = [](rknn_custom_op_context *, rknn_custom_op_tensor *, uint32_t, rknn_custom_op_tensor *, uint32_t) {
        return -9;
    };
    CHECK_EQ(add(context, {old, operator_of("cstBlend"), operator_of("cstDouble", 2)}), RKNN_SUCC);
    CHECK_EQ(rknn_run(context, nullptr), RKNN_SUCC);
}

TEST(when_one_init_fails_none_is_registered) {
    {
        const Blend context;
        calls.on_init = [](rknn_custom_op_context *op) { return kind(op) == "cstDouble" ? -3 : 0; };
        CHECK_EQ(add(context, both()), RKNN_ERR_FAIL);
        CHECK(last_error_has("init of the custom operator cstDouble (cstdouble4) returned -3"));
        CHECK_EQ(calls.count("destroy cstBlend"), 1);
        CHECK_EQ(calls.count("destroy cstDouble"), 0);
        CHECK_EQ(rknn_run(context, nullptr), RKNN_ERR_FAIL);
        calls.on_init = nullptr;
        CHECK_EQ(add(context, both()), RKNN_SUCC);
        CHECK_EQ(rknn_run(context, nullptr), RKNN_SUCC);
    }
    CHECK_EQ(calls.count("destroy cstBlend"), 2);
    CHECK_EQ(calls.count("destroy cstDouble"), 1);
}

TEST(a_failure_in_compute_fails_the_run_and_not_the_context) {
    const Blend context;
    CHECK_EQ(add(context, both()), RKNN_SUCC);
    calls.on_compute = [](auto &&...) { return 42; };
    CHECK_EQ(rknn_run(context, nullptr), RKNN_ERR_FAIL);
    CHECK(last_error_has("compute of the custom operator cstBlend (cstblend3) returned 42"));
    calls.on_compute = [](auto &&...) -> int { throw std::runtime_error("thrown by its author"); };
    CHECK_EQ(rknn_run(context, nullptr), RKNN_ERR_FAIL);
    CHECK(last_error_has("thrown by its author"));
    calls.on_compute = nullptr;
    CHECK_EQ(rknn_run(context, nullptr), RKNN_SUCC);
}

TEST(each_context_has_operators_of_its_own) {
    const Blend first;
    std::vector<void *> states;
    int numbers[4] = {};
    calls.on_init = [&](rknn_custom_op_context *op) {
        CHECK(op->priv_data == nullptr);
        CHECK_EQ(op->target, RKNN_TARGET_TYPE_CPU);
        op->priv_data = &numbers[states.size()];
        states.push_back(op->priv_data);
        return 0;
    };
    CHECK_EQ(add(first, both()), RKNN_SUCC);
    rknn_context source = first;
    rknn_context duplicate = 0;
    CHECK_EQ(rknn_dup_context(&source, &duplicate), RKNN_SUCC);
    CHECK_EQ(rknn_run(duplicate, nullptr), RKNN_ERR_FAIL);
    CHECK(last_error_has("not registered with this context"));
    CHECK_EQ(add(duplicate, both()), RKNN_SUCC);
    CHECK_EQ(states.size(), 4U);
    CHECK_EQ(rknn_run(duplicate, nullptr), RKNN_SUCC);
    CHECK_EQ(rknn_destroy(duplicate), RKNN_SUCC);
    CHECK_EQ(calls.count("destroy cstBlend"), 1);
    CHECK_EQ(rknn_run(first, nullptr), RKNN_SUCC);
}

TEST(rejects_rknn_run_within_a_custom_operator) {
    const Blend context;
    const TestContext other(model_path("tiny_conv_int8"));
    CHECK_EQ(add(context, both()), RKNN_SUCC);
    calls.on_compute = [&](auto &&...) {
        CHECK_EQ(rknn_run(other, nullptr), RKNN_ERR_FAIL);
        CHECK(last_error_has("wait for itself"));
        return 0;
    };
    CHECK_EQ(rknn_run(context, nullptr), RKNN_SUCC);
    CHECK_EQ(rknn_run(other, nullptr), RKNN_SUCC);
}

TEST(an_operator_s_time_is_added_to_the_modelled_time) {
    const Blend context("timing=fixed:4000");
    CHECK_EQ(add(context, both()), RKNN_SUCC);
    calls.on_compute = [](auto &&...) {
        const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(3);
        while (std::chrono::steady_clock::now() < end) {
        }
        return 0;
    };
    CHECK_EQ(rknn_run(context, nullptr), RKNN_SUCC);
    rknn_perf_run time{};
    CHECK_EQ(rknn_query(context, RKNN_QUERY_PERF_RUN, &time, sizeof time), RKNN_SUCC);
    CHECK(time.run_duration >= 4000 + 2 * 3000);
}

TEST(damaged_attributes_are_refused_or_read_but_never_believed) {
    using namespace ez_rknn::rknnrt;
    const std::vector<uint8_t> whole = {35,   0,   0,   0,   0x03, 'a', 0,  // a: {
                                        27,   0,   0,   0,   0x02, 'd', 't', 'y', 'p', 'e', 0, 2, 0,
                                        0,    0,   'i', 0,                                             // "dtype": "i",
                                        0x10, 'v', 'a', 'l', 'u',  'e', 0,   5,   0,   0,   0, 0, 0};  // "value": 5}
    std::vector<uint8_t> document = whole;
    document[0] = static_cast<uint8_t>(document.size());
    document[7] = static_cast<uint8_t>(document.size() - 8);
    const auto read = [](const std::vector<uint8_t> &bytes) {
        return read_operator_attributes(Bytes(bytes.data(), bytes.size()));
    };
    const std::vector<OperatorAttribute> attributes = read(document);
    CHECK_EQ(attributes.size(), 1U);
    CHECK_EQ(attributes.at(0).name, "a");
    CHECK_EQ(int{attributes.at(0).data.at(0)}, 5);
    std::mt19937 random(1);
    size_t refused = 0;
    for (int round = 0; round < 20000; ++round) {
        std::vector<uint8_t> damaged = document;
        damaged[random() % damaged.size()] = static_cast<uint8_t>(random());
        if (round % 3 == 0) damaged.resize(random() % damaged.size());
        try {
            read(damaged);
        } catch (const StatusError &error) {
            CHECK_EQ(error.code(), RKNN_ERR_MODEL_INVALID);
            ++refused;
        }
    }
    CHECK(refused > 1000);
}
