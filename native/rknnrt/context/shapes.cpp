/* SPDX-License-Identifier: Apache-2.0 */
/* Choosing among the shapes of a dynamic model. */
#include <algorithm>
#include <cstring>

#include "rknnrt/base/number_of.h"
#include "rknnrt/base/status.h"
#include "rknnrt/context/context.h"
#include "rknnrt/tensors/attributes.h"

namespace ez_rknn::rknnrt {

namespace {

/* The input that an attribute names. */
size_t find_input(const GraphPlan &plan, const rknn_tensor_attr &attr) {
    const std::string name(attr.name, strnlen(attr.name, sizeof attr.name));
    for (size_t i = 0; i < plan.inputs.size(); ++i) {
        if (plan.inputs[i].name == name) return i;
    }
    fail(RKNN_ERR_FAIL, "rknn_set_input_shapes error, the model has no input '", name, "'");
}

bool has_shape(const TensorPort &port, const rknn_tensor_attr &attr) {
    // A shape without a layout is compared with the model's own order: NCHW.
    const bool is_nhwc = number_of(attr.fmt) == RKNN_TENSOR_NHWC;
    const std::vector<uint32_t> dims = is_nhwc ? api_input_dims(port) : port.dims;
    return attr.n_dims == dims.size() && std::equal(dims.begin(), dims.end(), attr.dims);
}

std::string shape_text(const std::vector<uint32_t> &dims) {
    std::string text;
    for (uint32_t dim : dims) text += (text.empty() ? "[" : ",") + std::to_string(dim);
    return text + "]";
}

}  // namespace

int Context::set_input_shapes(uint32_t count, const rknn_tensor_attr *attrs) {
    const Use use(*this);
    if (!model_->file.dynamic) {
        fail(RKNN_ERR_MODEL_INVALID,
             "rknn_set_input_shapes error, rknn model is static shape type, please export rknn ",
             "with dynamic_shapes");
    }
    if (attrs == nullptr || count == 0) fail(RKNN_ERR_PARAM_INVALID, "no shapes are given");
    if (count > inputs_.size()) {
        fail(RKNN_ERR_PARAM_INVALID, count, " shapes are given, but the model has ", inputs_.size(), " inputs");
    }
    std::vector<bool> fits(model_->graphs.size(), true);
    for (uint32_t i = 0; i < count; ++i) {
        if (number_of(attrs[i].fmt) == RKNN_TENSOR_NCHW && attrs[i].n_dims == 4) {
            fail(RKNN_ERR_PARAM_INVALID,
                 "rknn_set_input_shapes error, fmt(0) is invalid, only support NHWC or UNDEFINED ", "layout input");
        }
        const size_t input = find_input(model_->graphs[0], attrs[i]);
        for (size_t graph = 0; graph < fits.size(); ++graph) {
            fits[graph] = fits[graph] && has_shape(model_->graphs[graph].inputs[input], attrs[i]);
        }
    }
    const auto chosen = std::find(fits.begin(), fits.end(), true);
    if (chosen == fits.end()) {
        std::string supported;
        for (const GraphPlan &graph : model_->graphs) {
            supported += supported.empty() ? "" : "; ";
            for (const TensorPort &port : graph.inputs)
                supported += port.name + " " + shape_text(api_input_dims(port)) + " ";
        }
        fail(RKNN_ERR_FAIL, "rknn_set_input_shapes error, the supported input shapes are: ", supported);
    }
    const auto graph = static_cast<size_t>(chosen - fits.begin());
    if (current_plan() != nullptr) change_bindings(graph_index(), graph);
    graph_ = static_cast<int>(graph);
    return RKNN_SUCC;
}

}  // namespace ez_rknn::rknnrt
