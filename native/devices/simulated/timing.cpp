/* SPDX-License-Identifier: Apache-2.0 */
#include "devices/simulated/timing.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <iterator>
#include <numeric>
#include <string>

#include "rknnrt/base/text.h"

namespace ez_rknn::rknnrt::simulated {

namespace {

/* The facts of each SoC's NPU, and the only numbers of the model.
 *
 * Bytes per cycle, blocks and passes are those that reproduce the compiler's verbose log. The times are fitted to the
 * single-core frame rates that the vendor publishes (tools/timing/fit.py, which also gives the errors on networks left
 * out of the fit), with these exceptions:
 *   - rk3562 and rv1126b have too little published data, or none: their times are those of rk3576, the same generation
 *     with as wide a memory;
 *   - attention is fused only on rk3588 and rk3576, and of the networks that were fitted only rk3566's compute a layer
 *     (a softmax) on the CPU: a SoC without data of its own has its neighbour's;
 *   - contention and joining are fitted to one published figure each, for three cores of rk3588, and taken for all. */
struct Npu {
    const char *soc;
    double bytes_per_cycle;
    uint32_t fp16_block; /* output channels computed at a time */
    uint32_t int8_block;
    uint32_t fp16_passes; /* passes over each block: 4 where the fp16 units are a quarter as wide */
    double ns_per_cycle;
    double ns_per_byte;       /* of layers that multiply and add: these move data while they compute */
    double ns_per_table;      /* for each element looked up */
    double ns_per_byte_moved; /* of all other layers */
    double ns_per_layer;
    double ns_per_score;
    double ns_per_byte_on_cpu;
    double contention;  /* slowdown of moving data for each further busy core */
    double ns_per_join; /* for cores to divide a layer and to wait for each other */
};
constexpr Npu npus[] = {
    {"rk3588", 23.654, 16, 32, 1, 1.075, 0.0257, 0.2394, 0.0516, 14970, 9.056, 27.66, 0.805, 24260},
    {"rk3576", 7.465, 16, 32, 1, 1.095, 0.04531, 0.0735, 0.09348, 12880, 5.808, 27.66, 0.805, 24260},
    {"rk3566", 6.571, 16, 16, 4, 1.25, 0.2097, 0.4376, 0.2741, 27650, 9.056, 27.66, 0.805, 24260},
    {"rk3562", 7.465, 16, 16, 1, 1.095, 0.04531, 0.0735, 0.09348, 12880, 5.808, 27.66, 0.805, 24260},
    {"rv1126b", 7.465, 16, 16, 1, 1.095, 0.04531, 0.0735, 0.09348, 12880, 5.808, 27.66, 0.805, 24260},
};

const Npu &npu_of(const Soc &soc) {
    for (const Npu &npu : npus) {
        if (std::strcmp(npu.soc, soc.compiled_for) == 0) return npu;
    }
    return npus[0];
}

/* A file can claim any dimensions: sums and products stop here, at hours of simulated time. */
constexpr double most = 1e15;

double ceil_div(double value, double divisor) {
    return std::ceil(value / divisor);
}

double dim(const Tensor &tensor, size_t index) {
    return index < tensor.dims.size() ? static_cast<double>(tensor.dims[index]) : 1.0;
}

double stored_bytes(const Tensor &tensor) {
    if (tensor.stored_bytes != 0) return tensor.stored_bytes;
    double elements = 1;
    for (int32_t size : tensor.native_dims.empty() ? tensor.dims : tensor.native_dims) elements *= size;
    return elements * bits_of(tensor.type) / 8;
}

double elements_of(const Tensor &tensor) {
    double elements = 1;
    for (int32_t size : tensor.dims) elements *= size;
    return elements;
}

/* Activations that the NPU looks up in a table, whether fused to a convolution (ConvExSwish) or alone (exSwish). ReLU
 * and its like are computed on the way out and cost nothing. */
bool looks_up(const Node &node) {
    constexpr const char *functions[] = {"Swish", "Sigmoid", "Tanh", "Gelu", "Mish", "Elu", "Softplus", "Erf"};
    return std::any_of(std::begin(functions), std::end(functions),
                       [&](const char *function) { return node.type.find(function) != std::string::npos; });
}

/* Query [heads, size, 1, queries] and key [heads, size, 1, keys] of a fused attention. */
double attention_scores(const Graph &graph, const Node &node) {
    if (node.type != "exSDPAttention" || node.inputs.size() < 2) return 0;
    const Tensor &query = graph.tensors[node.inputs[0]];
    return dim(query, 0) * dim(query, 3) * dim(graph.tensors[node.inputs[1]], 3);
}

/* The weights of a convolution: its second operand. */
const Tensor *weights_of(const Graph &graph, const Node &node) {
    if (node.inputs.size() < 2) return nullptr;
    const Tensor &tensor = graph.tensors[node.inputs[1]];
    return tensor.dims.size() == 4 ? &tensor : nullptr;
}

double convolution_cycles(const Tensor &weights, const Tensor &output, bool transposed, const Npu &npu) {
    const bool int8 = weights.type == DataType::int8 || weights.type == DataType::opaque;
    const double least_steps = int8 ? 4 : 2;
    const double kernel = dim(weights, 2) * dim(weights, 3);
    const double output_channels = dim(output, 1);
    const double input_channels = dim(weights, transposed ? 0 : 1);
    const double pixels = ceil_div(dim(output, 2) * dim(output, 3), 16) * 16;
    const double passes = int8 ? 1 : npu.fp16_passes;
    const bool depthwise = dim(weights, 0) == 1 && dim(weights, 1) == output_channels && output_channels > 1;
    if (depthwise) return dim(output, 0) * pixels * kernel * ceil_div(output_channels, 64) * passes;
    const double steps = std::max(kernel * ceil_div(input_channels, 32), least_steps);
    return dim(output, 0) * pixels * steps * ceil_div(output_channels, int8 ? npu.int8_block : npu.fp16_block) * passes;
}

/* A [B,K,1,M] by B [B,K,1,N]. */
double multiplication_cycles(const Tensor &a, const Tensor &b, const Npu &npu) {
    const bool int8 = a.type == DataType::int8;
    const double steps = std::max(ceil_div(dim(a, 1), 32), int8 ? 4.0 : 2.0);
    const double passes = int8 ? 1 : npu.fp16_passes;
    return dim(a, 0) * ceil_div(dim(b, 3), 16) * 16 * steps *
           ceil_div(dim(a, 3), int8 ? npu.int8_block : npu.fp16_block) * passes;
}

double npu_cycles(const Graph &graph, const Node &node, const Npu &npu) {
    if (starts_with(node.type, "exMatMul") && node.inputs.size() >= 2) {
        return multiplication_cycles(graph.tensors[node.inputs[0]], graph.tensors[node.inputs[1]], npu);
    }
    const Tensor *weights = starts_with(node.type, "Conv") ? weights_of(graph, node) : nullptr;
    if (weights == nullptr || node.outputs.empty()) return 0;
    return convolution_cycles(*weights, graph.tensors[node.outputs[0]], starts_with(node.type, "ConvTranspose"), npu);
}

/* The share of the busiest core. Elements written are listed 1 core, -, -, 2 cores: core 0, 1, -, 3 cores: core 0, 1,
 * 2. The first entry is not a total: for a layer of several tasks it is that of one task. */
std::array<double, 3> shares(const std::vector<int32_t> &elements) {
    std::array<double, 3> result{1, 1, 1};
    if (elements.size() < 9) return result;
    for (size_t cores = 2; cores <= 3; ++cores) {
        const auto first = elements.begin() + static_cast<std::ptrdiff_t>(3 * (cores - 1));
        const auto last = first + static_cast<std::ptrdiff_t>(cores);
        const bool split = std::all_of(first, last, [](int32_t count) { return count > 0; });
        if (split) result[cores - 1] = *std::max_element(first, last) / std::accumulate(first, last, 0.0);
    }
    return result;
}

/* A whole number; 0 for NaN, which infinity times 0 gives. */
uint64_t whole(double value) {
    if (std::isnan(value)) return 0;
    return static_cast<uint64_t>(std::llround(std::clamp(value, 0.0, most)));
}

LayerCost cost_of(const Graph &graph, const Node &node, const Npu &npu) {
    double read = 0;
    double written = 0;
    for (uint32_t index : node.inputs) read += stored_bytes(graph.tensors[index]);
    for (uint32_t index : node.outputs) written += stored_bytes(graph.tensors[index]);
    LayerCost cost;
    cost.read_bytes = whole(read);
    cost.moved_bytes = whole(read + written);
    cost.ddr_cycles = whole((read + written) / npu.bytes_per_cycle);
    cost.npu_cycles = whole(npu_cycles(graph, node, npu));
    if (cost.npu_cycles != 0) cost.cycles = std::max(cost.ddr_cycles, cost.npu_cycles);
    if (looks_up(node) && !node.outputs.empty()) {
        cost.table_elements = whole(elements_of(graph.tensors[node.outputs[0]]));
    }
    cost.attention_scores = whole(attention_scores(graph, node));
    cost.on_npu = node.on_npu;
    cost.marker = node.type == "InputOperator" || node.type == "OutputOperator";
    cost.share = shares(node.work_units);
    return cost;
}

}  // namespace

/* A core multiplies while it moves data, so the slower of the two counts; everything else adds up. Cores working
 * together divide the layer, but not the time that each needs to begin it. */
int64_t LayerCost::duration_ns(CoreUse use, const Soc &soc) const {
    if (marker) return 0;
    const Npu &npu = npu_of(soc);
    const double bytes = static_cast<double>(moved_bytes);
    if (!on_npu) return std::llround(std::min(bytes * npu.ns_per_byte_on_cpu + npu.ns_per_layer, most));
    const uint32_t together = std::clamp(use.together, 1U, 3U);
    const double part = share[together - 1];
    // The others wait while one core computes an undivided layer.
    const uint32_t waiting = part < 1 ? 0 : together - 1;
    const double slower = 1 + npu.contention * (std::clamp(use.busy, together, 3U) - waiting - 1);
    const double moving = bytes * (npu_cycles != 0 ? npu.ns_per_byte : npu.ns_per_byte_moved) * slower;
    const double work = std::max(static_cast<double>(npu_cycles) * npu.ns_per_cycle, moving) +
                        static_cast<double>(table_elements) * npu.ns_per_table +
                        static_cast<double>(attention_scores) * npu.ns_per_score;
    const double joining = part < 1 ? npu.ns_per_join : 0;
    return std::llround(std::min(work * part + npu.ns_per_layer + joining, most));
}

std::vector<LayerCost> layer_costs(const Graph &graph, const Soc &soc) {
    const Npu &npu = npu_of(soc);
    std::vector<LayerCost> costs;
    costs.reserve(graph.nodes.size());
    for (const Node &node : graph.nodes) costs.push_back(cost_of(graph, node, npu));
    return costs;
}

int64_t graph_duration_ns(const std::vector<LayerCost> &costs, CoreUse use, const Soc &soc) {
    double sum = 0;
    for (const LayerCost &cost : costs) sum += static_cast<double>(cost.duration_ns(use, soc));
    return std::llround(std::min(sum, most));
}

}  // namespace ez_rknn::rknnrt::simulated
