/* SPDX-License-Identifier: Apache-2.0 */
#include "devices/simulated/perf_detail.h"

#include <cstdarg>
#include <cstdio>

namespace ez_rknn::rknnrt::simulated {

namespace {

std::string format(const char *pattern, ...) __attribute__((format(printf, 1, 2)));

std::string format(const char *pattern, ...) {
    va_list arguments;
    va_start(arguments, pattern);
    va_list again;
    va_copy(again, arguments);
    std::string text(static_cast<size_t>(std::vsnprintf(nullptr, 0, pattern, arguments)), '\0');
    std::vsnprintf(text.data(), text.size() + 1, pattern, again);
    va_end(again);
    va_end(arguments);
    return text;
}

/* The first ones: a damaged layer may have tens of thousands. */
std::string shapes(const Graph &graph, const std::vector<uint32_t> &tensors) {
    constexpr size_t most = 64;
    std::string text;
    for (uint32_t index : tensors) {
        if (&index - tensors.data() == most) return text + ",...";
        text += text.empty() ? "(" : ",(";
        const std::vector<int32_t> &dims = graph.tensors[index].dims;
        for (size_t i = 0; i < dims.size(); ++i) text += (i == 0 ? "" : ",") + std::to_string(dims[i]);
        text += ")";
    }
    return text.empty() ? "\\" : text;
}

const char *type_name(const Graph &graph, const Node &node) {
    const std::vector<uint32_t> &tensors = node.inputs.empty() ? node.outputs : node.inputs;
    if (tensors.empty()) return "\\";
    switch (graph.tensors[tensors[0]].type) {
        case DataType::int8:
            return "INT8";
        case DataType::float16:
            return "FLOAT16";
        case DataType::float32:
            return "FLOAT32";
        case DataType::int64:
            return "INT64";
        case DataType::bfloat16:
            return "BFLOAT16";
        case DataType::opaque:
        case DataType::uint8:
        case DataType::uint16:
        case DataType::int16:
        case DataType::int32:
        case DataType::boolean:
        case DataType::float64:
        case DataType::uint32:
        case DataType::uint64:
        case DataType::int4:
        case DataType::unknown:
            break;
    }
    return "OTHER";
}

}  // namespace

std::string perf_detail_text(const SimulatedModel &model, size_t graph_index, bool layers) {
    const Graph &graph = model.file().graphs[graph_index];
    const SimulatedGraph &plan = model.graphs()[graph_index];
    std::string text = format("Total Weight Memory Size: %llu\nTotal Internal Memory Size: %llu\n",
                              static_cast<unsigned long long>(model.file().weight_bytes),
                              static_cast<unsigned long long>(model.file().internal_bytes));
    if (!layers) return text;
    text += "Times are modelled (simulated NPU), one core\n";
    constexpr const char row[] = "%-4zu %-16s %-8s %-6s %-44s %-22s %-14llu %-14llu %-14llu %-14lld %-14.2f %s\n";
    text += format("%-4s %-16s %-8s %-6s %-44s %-22s %-14s %-14s %-14s %-14s %-14s %s\n", "ID", "OpType", "DataType",
                   "Target", "InputShape", "OutputShape", "DDR Cycles", "NPU Cycles", "Total Cycles", "Time(us)",
                   "RW(KB)", "FullName");
    for (size_t i = 0; i < graph.nodes.size(); ++i) {
        const Node &node = graph.nodes[i];
        const LayerCost &cost = plan.costs[i];
        text += format(row, i + 1, node.type.c_str(), type_name(graph, node), node.on_npu ? "NPU" : "CPU",
                       shapes(graph, node.inputs).c_str(), shapes(graph, node.outputs).c_str(),
                       static_cast<unsigned long long>(cost.ddr_cycles),
                       static_cast<unsigned long long>(cost.npu_cycles), static_cast<unsigned long long>(cost.cycles),
                       static_cast<long long>(cost.duration_ns({}, model.soc()) / 1000),
                       static_cast<double>(cost.read_bytes) / 1024, node.name.c_str());
    }
    text += format("Total Operator Elapsed Time(us): %lld\n", static_cast<long long>(plan.modelled_ns({}) / 1000));
    return text;
}

}  // namespace ez_rknn::rknnrt::simulated
