/* How long a layer would take on the NPU: the compiler's own cycle formulas, and a linear model fitted to published
 * frame rates on top. Modelled, never measured. */
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "model_file.h"
#include "soc.h"

namespace ez_rknn::simulator {

/* What one layer costs when one core does it all. */
struct LayerCost {
    uint64_t ddr_cycles = 0; /* to move its data */
    uint64_t npu_cycles = 0; /* to multiply and add; 0 for layers that do not */
    uint64_t cycles = 0;     /* the larger of the two, for layers that the compiler estimates */
    uint64_t read_bytes = 0; /* features, weights and bias */
    /* The share of the work that the busiest core has when 1, 2 or 3 cores work together. */
    std::array<double, 3> share{1, 1, 1};
    int64_t duration_ns(uint32_t cores, const Soc &soc) const;
};

std::vector<LayerCost> layer_costs(const Graph &graph, const Soc &soc);

int64_t graph_duration_ns(const std::vector<LayerCost> &costs, uint32_t cores, const Soc &soc);

/* Whether the compiler has prepared the graph for this number of cores working together. */
bool supports_cores(const Graph &graph, uint32_t cores);

}  // namespace ez_rknn::simulator
