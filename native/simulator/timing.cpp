#include "timing.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

namespace ez_rknn::simulator {

namespace {

/* The NPU of each SoC. Bytes and blocks are those with which the compiler's verbose log is reproduced; the time for a
 * cycle, a layer and a byte are a least-squares fit of RK3588's published frame rates (seven vision models: errors of
 * 10 % on average, in sample). What is not known of the other SoCs is taken from RK3588, bytes scaled with bandwidth.
 */
struct Npu {
    const char *soc;
    double bytes_per_cycle;
    uint32_t fp16_block; /* output channels that are computed at a time */
    uint32_t int8_block;
    uint32_t fp16_passes; /* how often each block is gone through: 4 where the fp16 units are a quarter as wide */
    double ns_per_cycle;
    double ns_per_layer;
    double ns_per_byte; /* of layers that have no estimate in cycles */
};
constexpr Npu npus[] = {
    {"rk3588", 23.654, 16, 32, 1, 1.031, 18000, 0.504},
    {"rk3576", 7.465, 16, 32, 1, 1.031, 18000, 0.504 * 23.654 / 7.465},
    {"rk3562", 7.465, 16, 16, 1, 1.031, 18000, 0.504 * 23.654 / 7.465},
    {"rv1126b", 7.465, 16, 16, 1, 1.031, 18000, 0.504 * 23.654 / 7.465},
    {"rk3566", 6.571, 16, 16, 4, 1.031, 18000, 0.504 * 23.654 / 6.571},
};

const Npu &npu_of(const Soc &soc) {
    for (const Npu &npu : npus) {
        if (std::strcmp(npu.soc, soc.compiled_for) == 0) return npu;
    }
    return npus[0];
}

/* A file's dimensions are anybody's: sums and products stop here, which is hours of simulated time. */
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

bool starts_with(const std::string &text, const char *prefix) {
    return text.rfind(prefix, 0) == 0;
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

/* The share of the busiest core. Work units are listed 1 core, -, -, 2 cores: core 0, 1, -, 3 cores: core 0, 1, 2. */
std::array<double, 3> shares(const std::vector<int32_t> &units) {
    std::array<double, 3> result{1, 1, 1};
    if (units.size() < 9 || units[0] <= 0) return result;
    for (size_t cores = 2; cores <= 3; ++cores) {
        const auto first = units.begin() + static_cast<std::ptrdiff_t>(3 * (cores - 1));
        const bool split =
            std::all_of(first, first + static_cast<std::ptrdiff_t>(cores), [](int32_t u) { return u > 0; });
        const double busiest = *std::max_element(first, first + static_cast<std::ptrdiff_t>(cores));
        if (split) result[cores - 1] = std::min(1.0, busiest / units[0]);
    }
    return result;
}

uint64_t whole(double value) {
    return static_cast<uint64_t>(std::llround(std::clamp(value, 0.0, most)));
}

LayerCost cost_of(const Graph &graph, const Node &node, const Npu &npu) {
    double read = 0;
    double written = 0;
    for (uint32_t index : node.inputs) read += stored_bytes(graph.tensors[index]);
    for (uint32_t index : node.outputs) written += stored_bytes(graph.tensors[index]);
    LayerCost cost;
    cost.read_bytes = whole(read);
    cost.ddr_cycles = whole((read + written) / npu.bytes_per_cycle);
    cost.npu_cycles = whole(npu_cycles(graph, node, npu));
    if (cost.npu_cycles != 0) cost.cycles = std::max(cost.ddr_cycles, cost.npu_cycles);
    cost.share = shares(node.work_units);
    return cost;
}

}  // namespace

int64_t LayerCost::duration_ns(uint32_t cores, const Soc &soc) const {
    const Npu &npu = npu_of(soc);
    const double part = share[std::clamp(cores, 1U, 3U) - 1];
    const double work = cycles != 0 ? static_cast<double>(cycles) * npu.ns_per_cycle
                                    : static_cast<double>(read_bytes) * npu.ns_per_byte;
    return std::llround(std::min(work * part + npu.ns_per_layer, most));
}

std::vector<LayerCost> layer_costs(const Graph &graph, const Soc &soc) {
    const Npu &npu = npu_of(soc);
    std::vector<LayerCost> costs;
    costs.reserve(graph.nodes.size());
    for (const Node &node : graph.nodes) costs.push_back(cost_of(graph, node, npu));
    return costs;
}

int64_t graph_duration_ns(const std::vector<LayerCost> &costs, uint32_t cores, const Soc &soc) {
    double sum = 0;
    for (const LayerCost &cost : costs) sum += static_cast<double>(cost.duration_ns(cores, soc));
    return std::llround(std::min(sum, most));
}

bool supports_cores(const Graph &graph, uint32_t cores) {
    // Task counts are listed 1 core; 2 cores: core 0, 1; 3 cores: core 0, 1, 2.
    const size_t first = cores == 2 ? 1 : 3;
    return cores == 1 || std::any_of(graph.nodes.begin(), graph.nodes.end(), [&](const Node &node) {
               return node.task_counts.size() > first && node.task_counts[first] > 0;
           });
}

}  // namespace ez_rknn::simulator
