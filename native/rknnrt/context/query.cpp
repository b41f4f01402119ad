/* SPDX-License-Identifier: Apache-2.0 */
#include "rknnrt/context/query.h"

#include <algorithm>
#include <cstring>

#include "rknnrt/base/log.h"
#include "rknnrt/base/status.h"
#include "rknnrt/tensors/attributes.h"

namespace ez_rknn::rknnrt {

namespace {

/* The program's buffer as an answer of one type. */
template <typename Info>
Info &answer(void *info, uint32_t size) {
    if (info == nullptr) fail(RKNN_ERR_PARAM_INVALID, "rknn_query, info is NULL");
    if (size < sizeof(Info)) fail(RKNN_ERR_PARAM_INVALID, "rknn_query, info_len(", size, ") < ", sizeof(Info));
    return *static_cast<Info *>(info);
}

template <size_t Size>
void put_text(char (&field)[Size], const std::string &text) {
    std::memset(field, 0, Size);
    std::memcpy(field, text.data(), std::min(text.size(), Size - 1));
}

using MakeAttr = rknn_tensor_attr (*)(const TensorPort &, uint32_t);

int query_attr(const std::vector<TensorPort> &ports, MakeAttr make, void *info, uint32_t size) {
    auto &attr = answer<rknn_tensor_attr>(info, size);
    if (attr.index >= ports.size()) {
        fail(RKNN_ERR_PARAM_INVALID, "rknn_query, index(", attr.index, ") >= number of tensors(", ports.size(), ")");
    }
    attr = make(ports[attr.index], attr.index);
    return RKNN_SUCC;
}

/* Answers for the current shapes of a dynamic model. A static one has none: the code for that differs between the
 * queries. */
int query_current(const Context &context, int code_when_static, std::vector<TensorPort> GraphPlan::*ports,
                  MakeAttr make, void *info, uint32_t size) {
    answer<rknn_tensor_attr>(info, size);
    if (!context.model()->file.dynamic) {
        fail(code_when_static, "rknn model is static shape type, please export rknn with dynamic_shapes");
    }
    const GraphPlan *plan = context.current_plan();
    if (plan == nullptr) fail(RKNN_ERR_CTX_INVALID, "no shapes are set yet: call rknn_set_input_shapes");
    return query_attr(plan->*ports, make, info, size);
}

/* The vendor's library complains about this query's arguments, and returns 0 all the same. */
int query_native_nhwc_input(const Context &context, void *info, uint32_t size) {
    try {
        return query_attr(context.plan().inputs, native_input_attr, info, size);
    } catch (const StatusError &error) {
        if (info == nullptr) throw;
        log_error(error.text());
        return RKNN_SUCC;
    }
}

int query_native_nhwc_output(const Context &context, void *info, uint32_t size) {
    if (context.model()->file.dynamic) {
        fail(RKNN_ERR_PARAM_INVALID, "RKNN_QUERY_NATIVE_NHWC_OUTPUT_ATTR is not available for dynamic shapes");
    }
    return query_attr(context.plan().outputs, native_nhwc_output_attr, info, size);
}

int query_number(const Context &context, void *info, uint32_t size) {
    auto &number = answer<rknn_input_output_num>(info, size);
    number.n_input = static_cast<uint32_t>(context.plan().inputs.size());
    number.n_output = static_cast<uint32_t>(context.plan().outputs.size());
    return RKNN_SUCC;
}

int query_version(const Device &device, void *info, uint32_t size) {
    auto &version = answer<rknn_sdk_version>(info, size);
    put_text(version.api_version, device.versions().api);
    put_text(version.drv_version, device.versions().driver);
    return RKNN_SUCC;
}

/* The vendor's library does not check the length, so a short buffer gets as much as fits. */
int query_memory(const Context &context, void *info, uint32_t size) {
    if (info == nullptr) fail(RKNN_ERR_PARAM_INVALID, "rknn_query, info is NULL");
    rknn_mem_size memory{};
    const ModelFile &file = context.model()->file;
    memory.total_weight_size = static_cast<uint32_t>(std::min<uint64_t>(file.weight_bytes, UINT32_MAX));
    memory.total_internal_size = static_cast<uint32_t>(std::min<uint64_t>(file.internal_bytes, UINT32_MAX));
    memory.total_dma_allocated_size = context.allocated_bytes();
    const SramSize sram = context.model()->device->sram();
    memory.total_sram_size = static_cast<uint32_t>(sram.total);
    memory.free_sram_size = static_cast<uint32_t>(sram.free);
    std::memcpy(info, &memory, std::min<size_t>(size, sizeof memory));
    return RKNN_SUCC;
}

int query_dynamic_range(const Context &context, void *info, uint32_t size) {
    const Model &model = *context.model();
    if (!model.file.dynamic) {
        fail(RKNN_ERR_MODEL_INVALID, "query RKNN_QUERY_INPUT_DYNAMIC_RANGE error, rknn model is static shape type, ",
             "please export rknn with dynamic_shapes");
    }
    auto &range = answer<rknn_input_range>(info, size);
    const uint32_t index = range.index;
    if (index >= model.graphs[0].inputs.size()) {
        fail(RKNN_ERR_PARAM_INVALID, "rknn_query, index(", index, ") >= number of inputs");
    }
    const TensorPort &largest = model.graphs[0].inputs[index];
    range = {};
    range.index = index;
    range.shape_number = static_cast<uint32_t>(std::min<size_t>(model.graphs.size(), RKNN_MAX_DYNAMIC_SHAPE_NUM));
    range.fmt = input_attr(largest, index).fmt;
    put_text(range.name, largest.name);
    range.n_dims = static_cast<uint32_t>(largest.dims.size());
    for (uint32_t i = 0; i < range.shape_number; ++i) {
        const std::vector<uint32_t> dims = api_input_dims(model.graphs[i].inputs[index]);
        std::copy(dims.begin(), dims.end(), range.dyn_range[i]);
    }
    return RKNN_SUCC;
}

int query_perf_detail(Context &context, void *info, uint32_t size) {
    auto &detail = answer<rknn_perf_detail>(info, size);
    const std::string &text = context.perf_detail();
    detail.perf_data = const_cast<char *>(text.c_str());
    detail.data_len = text.size();
    return RKNN_SUCC;
}

}  // namespace

int query(Context &context, int32_t command, void *info, uint32_t size) {
    switch (command) {
        case RKNN_QUERY_IN_OUT_NUM:
            return query_number(context, info, size);
        case RKNN_QUERY_INPUT_ATTR:
            return query_attr(context.plan().inputs, input_attr, info, size);
        case RKNN_QUERY_OUTPUT_ATTR:
            return query_attr(context.plan().outputs, output_attr, info, size);
        case RKNN_QUERY_PERF_DETAIL:
            return query_perf_detail(context, info, size);
        case RKNN_QUERY_PERF_RUN:
            answer<rknn_perf_run>(info, size).run_duration = context.last_run_us();
            return RKNN_SUCC;
        case RKNN_QUERY_SDK_VERSION:
            return query_version(context.device(), info, size);
        case RKNN_QUERY_MEM_SIZE:
            return query_memory(context, info, size);
        case RKNN_QUERY_CUSTOM_STRING:
            put_text(answer<rknn_custom_string>(info, size).string, context.model()->file.custom_string);
            return RKNN_SUCC;
        case RKNN_QUERY_NATIVE_INPUT_ATTR:
            return query_attr(context.plan().inputs, native_input_attr, info, size);
        case RKNN_QUERY_NATIVE_OUTPUT_ATTR:
            return query_attr(context.plan().outputs, native_output_attr, info, size);
        case RKNN_QUERY_NATIVE_NHWC_INPUT_ATTR:
            return query_native_nhwc_input(context, info, size);
        case RKNN_QUERY_NATIVE_NHWC_OUTPUT_ATTR:
            return query_native_nhwc_output(context, info, size);
        case RKNN_QUERY_INPUT_DYNAMIC_RANGE:
            return query_dynamic_range(context, info, size);
        case RKNN_QUERY_CURRENT_INPUT_ATTR:
            return query_current(context, RKNN_ERR_MODEL_INVALID, &GraphPlan::inputs, input_attr, info, size);
        case RKNN_QUERY_CURRENT_OUTPUT_ATTR:
            return query_current(context, RKNN_ERR_MODEL_INVALID, &GraphPlan::outputs, output_attr, info, size);
        case RKNN_QUERY_CURRENT_NATIVE_INPUT_ATTR:
            return query_current(context, RKNN_ERR_CTX_INVALID, &GraphPlan::inputs, native_input_attr, info, size);
        case RKNN_QUERY_CURRENT_NATIVE_OUTPUT_ATTR:
            return query_current(context, RKNN_ERR_CTX_INVALID, &GraphPlan::outputs, native_output_attr, info, size);
        default:
            if (command >= RKNN_QUERY_CMD_MAX) {
                fail(RKNN_ERR_PARAM_INVALID, "rknn_query, cmd = ", command, " is not in [0, 17]!");
            }
            fail(RKNN_ERR_FAIL, "rknn_query, unsupported cmd(", command, ")!");
    }
}

}  // namespace ez_rknn::rknnrt
