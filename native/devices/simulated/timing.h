/* SPDX-License-Identifier: Apache-2.0 */
/* The timing model of a layer on the NPU: the compiler's own cycle formulas, plus a few constants for each SoC, fitted
 * to published frame rates. Modelled, never measured; docs/explanation/timing.md has the errors. */
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "rknnrt/device/soc.h"
#include "rknnrt/file/model_file.h"

namespace ez_rknn::rknnrt::simulated {

/* The busy cores: of one task, and on the whole board while it runs. */
struct CoreUse {
    uint32_t together = 1; /* that share this task's layers */
    uint32_t busy = 1;     /* that compete for the memory, those of this task included */
};

/* The cost of one layer on one core. */
struct LayerCost {
    uint64_t ddr_cycles = 0;       /* to move its data, by the compiler's estimate */
    uint64_t npu_cycles = 0;       /* to multiply and add; 0 for layers that do not */
    uint64_t cycles = 0;           /* the larger of the two, for layers that the compiler estimates */
    uint64_t read_bytes = 0;       /* features, weights and bias */
    uint64_t moved_bytes = 0;      /* the same plus its output */
    uint64_t table_elements = 0;   /* that pass an activation looked up in a table */
    uint64_t attention_scores = 0; /* of a fused attention: heads x queries x keys */
    bool on_npu = true;
    bool marker = false; /* marks the beginning or end of the graph, and takes no time */
    /* The busiest core's share of the work, with 1, 2 or 3 cores working together. */
    std::array<double, 3> share{1, 1, 1};

    int64_t duration_ns(CoreUse use, const Soc &soc) const;
};

std::vector<LayerCost> layer_costs(const Graph &graph, const Soc &soc);

int64_t graph_duration_ns(const std::vector<LayerCost> &costs, CoreUse use, const Soc &soc);

}  // namespace ez_rknn::rknnrt::simulated
