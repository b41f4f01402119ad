/* SPDX-License-Identifier: Apache-2.0 */
/* Programs that call the interface wrongly: each call returns an error and touches no memory that it should not. An
 * enumeration in C may hold any number. */
#include <climits>
#include <cstdint>
#include <cstring>
#include <vector>

#include "ez_rknn_simulator.h"
#include "rknn_abi.h"
#include "tests/check.h"
#include "tests/simulator/support.h"
#include "tests/simulator/tensors.h"

using namespace ez_rknn::tests;

namespace {

constexpr int32_t impossible[] = {-1, INT_MIN, INT_MAX, 99, 4096, 65536};

template <typename Enumeration>
Enumeration any(int32_t number) {
    Enumeration value;
    std::memcpy(&value, &number, sizeof value);
    return value;
}

}  // namespace

TEST(rejects_unknown_queries) {
    const TestContext context(model_path("tiny_conv_int8"));
    rknn_input_range info{};
    for (int32_t command : impossible) {
        CHECK(rknn_query(context, any<rknn_query_cmd>(command), &info, sizeof info) != RKNN_SUCC);
    }
}

TEST(inputs_of_impossible_types_and_layouts_are_refused) {
    const TestContext context(model_path("tiny_conv_int8"));
    std::vector<uint8_t> data(attribute(context, RKNN_QUERY_INPUT_ATTR).n_elems * 8);
    for (int32_t number : impossible) {
        rknn_input input = pixels(data);
        input.type = any<rknn_tensor_type>(number);
        CHECK_EQ(rknn_inputs_set(context, 1, &input), RKNN_ERR_PARAM_INVALID);
        input = pixels(data);
        input.fmt = any<rknn_tensor_format>(number);
        CHECK_EQ(rknn_inputs_set(context, 1, &input), RKNN_ERR_PARAM_INVALID);
    }
    rknn_input input = pixels(data);
    CHECK_EQ(rknn_inputs_set(context, UINT32_MAX, &input), RKNN_ERR_PARAM_INVALID);
}

TEST(bindings_of_impossible_types_and_layouts_are_refused) {
    const TestContext context(model_path("tiny_conv_int8"));
    for (const rknn_query_cmd command : {RKNN_QUERY_NATIVE_INPUT_ATTR, RKNN_QUERY_NATIVE_OUTPUT_ATTR}) {
        const rknn_tensor_attr right = attribute(context, command);
        const BoundMemory memory(context, right.size_with_stride * 8);
        for (int32_t number : impossible) {
            rknn_tensor_attr attr = right;
            attr.type = any<rknn_tensor_type>(number);
            CHECK_EQ(rknn_set_io_mem(context, memory, &attr), RKNN_ERR_PARAM_INVALID);
            attr = right;
            attr.fmt = any<rknn_tensor_format>(number);
            CHECK_EQ(rknn_set_io_mem(context, memory, &attr), RKNN_ERR_PARAM_INVALID);
        }
    }
}

TEST(more_outputs_or_shapes_than_the_model_has_are_refused) {
    const TestContext fixed(model_path("tiny_conv_int8"));
    rknn_output output{};
    CHECK_EQ(rknn_outputs_get(fixed, 2, &output, nullptr), RKNN_ERR_PARAM_INVALID);
    CHECK_EQ(rknn_outputs_release(fixed, UINT32_MAX, &output), RKNN_ERR_PARAM_INVALID);
    const TestContext dynamic(model_path("dynamic_fp16"));
    rknn_tensor_attr attr = attribute(dynamic, RKNN_QUERY_INPUT_ATTR);
    CHECK_EQ(rknn_set_input_shapes(dynamic, UINT32_MAX, &attr), RKNN_ERR_PARAM_INVALID);
}

TEST(shapes_of_impossible_layouts_and_ranks_are_refused) {
    const TestContext context(model_path("dynamic_fp16"));
    for (int32_t number : impossible) {
        rknn_tensor_attr attr = attribute(context, RKNN_QUERY_INPUT_ATTR);
        attr.n_dims = static_cast<uint32_t>(number);
        CHECK(rknn_set_input_shapes(context, 1, &attr) != RKNN_SUCC);
        attr = attribute(context, RKNN_QUERY_INPUT_ATTR);
        attr.fmt = any<rknn_tensor_format>(number);
        rknn_set_input_shapes(context, 1, &attr);  // compared with the model's own order: one shape may be both
    }
}

TEST(rejects_unknown_masks_and_synchronisations) {
    const TestContext context(model_path("tiny_conv_int8"));
    const BoundMemory memory(context, 64);
    for (int32_t number : impossible) {
        CHECK_EQ(rknn_set_core_mask(context, any<rknn_core_mask>(number)), RKNN_ERR_FAIL);
        CHECK_EQ(rknn_mem_sync(context, memory, any<rknn_mem_sync_mode>(number)), RKNN_ERR_PARAM_INVALID);
    }
}

TEST(rejects_custom_operators_for_unknown_targets) {
    const TestContext context(model_path("custom_blend_int8"));
    rknn_custom_op custom{};
    std::strcpy(custom.op_type, "cstBlend");
    custom.compute = [](rknn_custom_op_context *, rknn_custom_op_tensor *, uint32_t, rknn_custom_op_tensor *,
                        uint32_t) { return 0; };
    for (int32_t number : impossible) {
        custom.target = any<rknn_target_type>(number);
        CHECK_EQ(rknn_register_custom_ops(context, &custom, 1), RKNN_ERR_PARAM_INVALID);
    }
}
