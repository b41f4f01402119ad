/* SPDX-License-Identifier: Apache-2.0 */
#include "rknnrt/file/ports.h"

#include <algorithm>
#include <initializer_list>
#include <set>
#include <string>
#include <tuple>

#include "rknn_abi.h"
#include "rknnrt/base/sizes.h"
#include "rknnrt/base/status.h"

namespace ez_rknn::rknnrt {

namespace {

constexpr size_t largest_rank = 16;
constexpr float smallest_scale = 1e-30F;
constexpr float largest_scale = 1e30F;
constexpr uint64_t largest_element = 8; /* in bytes, of the types that a program may give instead */
constexpr uint64_t row_alignment = 16;  /* pixels, at most: images of bytes */

template <typename... Words>
[[noreturn]] void refuse(const Tensor &tensor, const Words &...words) {
    fail(RKNN_ERR_MODEL_INVALID, "damaged model: tensor '", tensor.name, "' ", words...);
}

bool has_zero(const std::vector<int32_t> &dims) {
    return std::find(dims.begin(), dims.end(), 0) != dims.end();
}

void check_type(const Tensor &tensor) {
    if (!is_convertible(tensor.type)) {
        refuse(tensor, "has element type ", static_cast<int>(tensor.type), ", which no input or output can have");
    }
    if (tensor.dims.size() > largest_rank || tensor.native_dims.size() > largest_rank) {
        refuse(tensor, "has ", std::max(tensor.dims.size(), tensor.native_dims.size()), " dimensions");
    }
    if (has_zero(tensor.dims) || has_zero(tensor.native_dims)) refuse(tensor, "has a dimension of 0");
}

bool is_zero_point(DataType type, int32_t zero_point) {
    if (type == DataType::int8) return zero_point >= INT8_MIN && zero_point <= INT8_MAX;
    if (type == DataType::uint8) return zero_point >= 0 && zero_point <= UINT8_MAX;
    return zero_point >= INT16_MIN && zero_point <= INT16_MAX;
}

void check_quantisation(const Tensor &tensor) {
    if (!tensor.quantised() || !is_quantised_type(tensor.type)) return;
    const float scale = tensor.scales.front();
    if (!(scale > smallest_scale && scale < largest_scale)) refuse(tensor, "has scale ", scale);
    if (!is_zero_point(tensor.type, tensor.zero_point())) refuse(tensor, "has zero point ", tensor.zero_point());
}

bool is_port_layout(Layout layout) {
    switch (layout) {
        case Layout::plain:
        case Layout::nhwc:
        case Layout::nchw:
        case Layout::nc1hwc2:
            return true;
        case Layout::packed_weight:
        case Layout::unknown:
            break;
    }
    return false;
}

/* True if the stored form can hold the tensor: blocks of channels have room for all of them. */
bool is_stored(const Tensor &tensor) {
    const std::vector<int32_t> &dims = tensor.dims;
    const std::vector<int32_t> &native = tensor.native_dims;
    if (tensor.layout != Layout::nc1hwc2) return native.empty() || product_of(native) == product_of(dims);
    return dims.size() == 4 && native.size() == 5 && native[0] == dims[0] && native[2] == dims[2] &&
           native[3] == dims[3] && int64_t{native[1]} * native[4] >= dims[1];
}

/* Elements in memory, with all the gaps that any storage may have. */
uint64_t padded_elements(const Tensor &tensor) {
    const std::vector<int32_t> &native = tensor.native_dims;
    if (tensor.layout != Layout::nc1hwc2) return product_of(native.empty() ? tensor.dims : native);
    const auto height = static_cast<uint64_t>(native[2]), width = static_cast<uint64_t>(native[3]);
    const uint64_t surface = times(height, aligned(width, row_alignment)) + surface_alignment;
    return product_of(std::initializer_list<uint64_t>{
        static_cast<uint64_t>(native[0]), static_cast<uint64_t>(native[1]), surface, static_cast<uint64_t>(native[4])});
}

/* Elements that have to be in memory: of NC1HWC2 the blocks that channels fill. Resizing on RK3562, the compiler counts
 * more blocks than these, and allocates these. */
uint64_t stored_elements(const Tensor &tensor) {
    if (tensor.native_dims.empty()) return product_of(tensor.dims);
    std::vector<int32_t> native = tensor.native_dims;
    if (tensor.layout == Layout::nc1hwc2) native[1] = 1 + (tensor.dims[1] - 1) / native[4];
    return product_of(native);
}

void check_size(const Tensor &tensor, uint32_t batch) {
    const uint64_t element = bits_of(tensor.type) / 8;
    const uint64_t most =
        std::max(times(padded_elements(tensor), element), times(product_of(tensor.dims), largest_element));
    if (times(most, batch) > largest_size) refuse(tensor, "does not fit into 2 GiB");
    const uint64_t stored = times(stored_elements(tensor), element);
    if (stored > tensor.allocated_bytes) {
        refuse(tensor, "needs ", stored, " bytes, but has ", tensor.allocated_bytes);
    }
}

void check_port(const Tensor &tensor, std::initializer_list<TensorKind> kinds, uint32_t batch) {
    check_type(tensor);
    if (!is_port_layout(tensor.layout)) refuse(tensor, "has layout ", static_cast<int>(tensor.layout));
    if (std::find(kinds.begin(), kinds.end(), tensor.kind) == kinds.end()) {
        refuse(tensor, "is of kind ", static_cast<int>(tensor.kind), ", which is no input's or output's");
    }
    if (!is_stored(tensor)) refuse(tensor, "cannot be stored as it is said to be");
    check_size(tensor, batch);
    if (tensor.scales.size() > 1) refuse(tensor, "has ", tensor.scales.size(), " scales where one is needed");
    check_quantisation(tensor);
}

/* Checks names: programs and custom operators identify tensors by them. */
void check_names(const Graph &graph, const std::vector<uint32_t> &indices, const char *what) {
    std::set<std::string> names;
    for (uint32_t index : indices) {
        const std::string &name = graph.tensors[index].name;
        if (name.empty() || !names.insert(name).second) {
            fail(RKNN_ERR_MODEL_INVALID, "damaged model: its ", what, "s cannot be told apart: one is named '", name,
                 "'");
        }
    }
}

auto identity(const Tensor &tensor) {
    const float scale = tensor.quantised() ? tensor.scales.front() : 0;
    return std::tuple(tensor.name, tensor.type, tensor.dims.size(), tensor.quantised(), scale, tensor.zero_point());
}

bool have_same(const Graph &graph, const Graph &other, std::vector<uint32_t> Graph::*indices) {
    return std::equal(
        (graph.*indices).begin(), (graph.*indices).end(), (other.*indices).begin(), (other.*indices).end(),
        [&](uint32_t mine, uint32_t its) { return identity(graph.tensors[mine]) == identity(other.tensors[its]); });
}

std::vector<std::string> custom_operators(const Graph &graph) {
    std::vector<std::string> types;
    for (const Node &node : graph.nodes) {
        if (node.custom) types.push_back(node.type);
    }
    return types;
}

}  // namespace

void check_ports(const Graph &graph, uint32_t batch) {
    if (graph.outputs.empty()) fail(RKNN_ERR_MODEL_INVALID, "damaged model: the graph has no outputs");
    check_names(graph, graph.inputs, "input");
    check_names(graph, graph.outputs, "output");
    for (uint32_t index : graph.inputs) check_port(graph.tensors[index], {TensorKind::input}, batch);
    for (uint32_t index : graph.outputs) {
        check_port(graph.tensors[index],
                   {TensorKind::input, TensorKind::output, TensorKind::intermediate, TensorKind::constant}, batch);
    }
}

void check_same_ports(const std::vector<Graph> &graphs) {
    const Graph &first = graphs.front();
    const std::vector<std::string> operators = custom_operators(first);
    for (const Graph &graph : graphs) {
        if (!have_same(graph, first, &Graph::inputs) || !have_same(graph, first, &Graph::outputs)) {
            fail(RKNN_ERR_MODEL_INVALID, "damaged model: its graphs differ in their inputs or outputs");
        }
        // A context has one state for each operator, whatever the shapes.
        if (custom_operators(graph) != operators) {
            fail(RKNN_ERR_MODEL_INVALID, "damaged model: its graphs differ in their custom operators");
        }
    }
}

void check_operand(const Tensor &tensor) {
    check_type(tensor);
    check_quantisation(tensor);
}

}  // namespace ez_rknn::rknnrt
