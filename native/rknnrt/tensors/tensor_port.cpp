/* SPDX-License-Identifier: Apache-2.0 */
#include "rknnrt/tensors/tensor_port.h"

#include <algorithm>

#include "rknnrt/base/sizes.h"
#include "rknnrt/base/status.h"

namespace ez_rknn::rknnrt {

namespace {

/* Checks that a sum or product fits. The file's own numbers were checked when it was read (ports.cpp). */
uint32_t checked(uint64_t value, const std::string &name) {
    if (value > largest_size) fail(RKNN_ERR_MODEL_INVALID, "tensor '", name, "' does not fit into 2 GiB");
    return static_cast<uint32_t>(value);
}

uint32_t product(const std::vector<uint32_t> &dims, const std::string &name) {
    uint64_t result = 1;
    for (uint32_t dim : dims) result = checked(result * dim, name);
    return static_cast<uint32_t>(result);
}

/* Surfaces that the NPU writes begin at multiples of four pixels. Those of its inputs do not: the compiler sets the
 * surface stride of the layers that read them to height times width, and of all others to the rounded number. */
void place_feature(TensorPort &port, const Tensor &tensor) {
    port.storage = Storage::feature;
    port.c1 = static_cast<uint32_t>(tensor.native_dims[1]);
    port.c2 = static_cast<uint32_t>(tensor.native_dims[4]);
    if (static_cast<uint64_t>(port.c1) * port.c2 < port.c) {
        fail(RKNN_ERR_MODEL_INVALID, "damaged model: tensor '", port.name, "' has ", port.c, " channels but stores ",
             static_cast<uint64_t>(port.c1) * port.c2);
    }
    const uint64_t pixels = checked(static_cast<uint64_t>(port.h) * port.w, port.name);
    port.surface =
        static_cast<uint32_t>(tensor.kind == TensorKind::input ? pixels : aligned(pixels, surface_alignment));
    const uint64_t channels = checked(static_cast<uint64_t>(port.n) * port.c1 * port.c2, port.name);
    port.stored_bytes = checked(checked(channels * port.surface, port.name) * uint64_t{port.element_size}, port.name);
}

void place_image(TensorPort &port) {
    port.storage = Storage::image;
    port.w_stride = static_cast<uint32_t>(aligned(port.w, port.atom));
    const uint64_t rows = checked(static_cast<uint64_t>(port.n) * port.h, port.name);
    port.stored_bytes = checked(
        checked(checked(rows * port.w_stride, port.name) * uint64_t{port.c}, port.name) * port.element_size, port.name);
}

TensorPort make_port(const Graph &graph, uint32_t tensor_index, uint32_t batch, const Soc &soc) {
    const Tensor &tensor = graph.tensors[tensor_index];
    TensorPort port;
    port.name = tensor.name;
    port.type = tensor.type;
    port.element_size = bits_of(tensor.type) / 8;
    port.scale = port.quantised() ? tensor.scale() : 1.0F;
    port.zero_point = port.quantised() ? tensor.zero_point() : 0;
    port.dims.assign(tensor.dims.begin(), tensor.dims.end());
    port.batch = batch;
    port.elements = product(port.dims, port.name);
    port.dense_bytes = checked(static_cast<uint64_t>(port.elements) * port.element_size, port.name);
    port.stored_bytes = port.dense_bytes;
    port.atom = std::max(1U, soc.atom_bytes / port.element_size);
    checked(static_cast<uint64_t>(port.elements) * batch * sizeof(double), port.name);
    if (!port.four_d()) return port;
    port.n = port.dims[0];
    port.c = port.dims[1];
    port.h = port.dims[2];
    port.w = port.dims[3];
    if (tensor.layout == Layout::nc1hwc2 && tensor.native_dims.size() == 5) {
        const bool image = tensor.kind == TensorKind::input && port.c <= 4 && tensor.native_dims[1] == 1 &&
                           static_cast<uint32_t>(tensor.native_dims[4]) == port.c;
        if (image) {
            place_image(port);
        } else {
            place_feature(port, tensor);
        }
        checked(static_cast<uint64_t>(port.stored_bytes) * batch, port.name);
    }
    return port;
}

/* True if the NPU fills the ends of rows: then the compiler gives the operator of the input the value to fill with. */
bool fills_rows(const Graph &graph, uint32_t tensor_index) {
    return std::any_of(graph.nodes.begin(), graph.nodes.end(), [&](const Node &node) {
        return node.type == "InputOperator" && !node.inputs.empty() && node.outputs.size() == 1 &&
               node.outputs[0] == tensor_index;
    });
}

/* True if it represents real numbers, not integers or truth values. */
bool is_real(const Tensor &tensor) {
    switch (tensor.type) {
        case DataType::float32:
        case DataType::float16:
        case DataType::bfloat16:
            return true;
        case DataType::int8:
        case DataType::uint8:
        case DataType::int16:
        case DataType::uint16:
        case DataType::int32:
            return tensor.quantised();
        case DataType::opaque:
        case DataType::int64:
        case DataType::boolean:
        case DataType::float64:
        case DataType::uint32:
        case DataType::uint64:
        case DataType::int4:
        case DataType::unknown:
            break;
    }
    return false;
}

}  // namespace

TensorPort make_input_port(const Graph &graph, size_t index, uint32_t batch, const Soc &soc) {
    TensorPort port = make_port(graph, graph.inputs[index], batch, soc);
    port.normalisation = graph.normalisations[index];
    port.fills_rows = port.storage == Storage::image && port.element_size == 1 && port.w_stride != port.w &&
                      fills_rows(graph, graph.inputs[index]);
    return port;
}

TensorPort make_output_port(const Graph &graph, size_t index, uint32_t batch, const Soc &soc) {
    return make_port(graph, graph.outputs[index], batch, soc);
}

std::vector<TensorPort> make_input_ports(const Graph &graph, uint32_t batch, const Soc &soc) {
    std::vector<TensorPort> ports;
    for (size_t i = 0; i < graph.inputs.size(); ++i) ports.push_back(make_input_port(graph, i, batch, soc));
    return ports;
}

std::vector<TensorPort> make_output_ports(const Graph &graph, uint32_t batch, const Soc &soc) {
    std::vector<TensorPort> ports;
    for (size_t i = 0; i < graph.outputs.size(); ++i) ports.push_back(make_output_port(graph, i, batch, soc));
    return ports;
}

TensorPort make_operand_port(const Graph &graph, uint32_t tensor_index) {
    const Tensor &tensor = graph.tensors[tensor_index];
    TensorPort port;
    port.name = tensor.name;
    port.type = is_real(tensor) ? DataType::float32 : tensor.type;
    port.element_size = bits_of(port.type) / 8;
    if (is_real(tensor) && tensor.quantised()) {
        port.scale = tensor.scale();
        port.zero_point = tensor.zero_point();
    }
    port.dims.assign(tensor.dims.begin(), tensor.dims.end());
    port.elements = product(port.dims, port.name);
    port.dense_bytes = checked(static_cast<uint64_t>(port.elements) * port.element_size, port.name);
    port.stored_bytes = port.dense_bytes;
    return port;
}

void fail_as_unconvertible(const TensorPort &port) {
    fail(RKNN_ERR_MODEL_INVALID, "tensor '", port.name, "' has element type ", static_cast<int>(port.type), " of ",
         port.element_size, " bytes, which cannot be converted");
}

rknn_tensor_type api_type(DataType type) {
    switch (type) {
        case DataType::float32:
            return RKNN_TENSOR_FLOAT32;
        case DataType::float16:
            return RKNN_TENSOR_FLOAT16;
        case DataType::int8:
            return RKNN_TENSOR_INT8;
        case DataType::uint8:
            return RKNN_TENSOR_UINT8;
        case DataType::int16:
            return RKNN_TENSOR_INT16;
        case DataType::uint16:
            return RKNN_TENSOR_UINT16;
        case DataType::int32:
            return RKNN_TENSOR_INT32;
        case DataType::uint32:
            return RKNN_TENSOR_UINT32;
        case DataType::int64:
        case DataType::uint64:
            return RKNN_TENSOR_INT64;
        case DataType::boolean:
            return RKNN_TENSOR_BOOL;
        case DataType::int4:
            return RKNN_TENSOR_INT4;
        case DataType::bfloat16:
            return RKNN_TENSOR_BFLOAT16;
        case DataType::float64:
        case DataType::opaque:
        case DataType::unknown:
            break;
    }
    return RKNN_TENSOR_TYPE_MAX;
}

uint32_t input_element_size(int32_t type) {
    switch (type) {
        case RKNN_TENSOR_INT8:
        case RKNN_TENSOR_UINT8:
        case RKNN_TENSOR_BOOL:
            return 1;
        case RKNN_TENSOR_FLOAT16:
            return 2;
        case RKNN_TENSOR_FLOAT32:
        case RKNN_TENSOR_INT32:
            return 4;
        case RKNN_TENSOR_INT64:
            return 8;
        default:
            return 0;
    }
}

}  // namespace ez_rknn::rknnrt
