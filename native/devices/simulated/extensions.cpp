/* SPDX-License-Identifier: Apache-2.0 */
/* The functions of this library beyond the vendor's interface. */
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/export.h"
#include "devices/simulated/interpreter.h"
#include "devices/simulated/simulated_device.h"
#include "devices/simulated/simulated_model.h"
#include "ez_rknn_simulator.h"
#include "rknn_abi.h"
#include "rknnrt/abi/call.h"
#include "rknnrt/abi/call_counter.h"
#include "rknnrt/base/status.h"
#include "rknnrt/context/process.h"
#include "rknnrt/settings/settings.h"

using namespace ez_rknn::rknnrt;
using namespace ez_rknn::rknnrt::simulated;

namespace {

ez_rknn_layer_time layer_time(const Node &node, const LayerCost &cost, const Soc &soc) {
    ez_rknn_layer_time time{};
    time.operator_type = node.type.c_str();
    time.name = node.name.c_str();
    time.on_npu = cost.on_npu ? 1 : 0;
    time.marker = cost.marker ? 1 : 0;
    time.compute_cycles = cost.npu_cycles;
    time.memory_cycles = cost.ddr_cycles;
    time.moved_bytes = cost.moved_bytes;
    time.table_elements = cost.table_elements;
    time.attention_scores = cost.attention_scores;
    for (uint32_t cores = 1; cores <= 3; ++cores) {
        time.share[cores - 1] = cost.share[cores - 1];
        time.duration_ns[cores - 1] = cost.duration_ns({cores, cores}, soc);
    }
    return time;
}

const SimulatedModel &simulated_model(const Context &context) {
    return static_cast<const SimulatedModel &>(*context.model()->device);
}

}  // namespace

EZ_RKNN_EXPORT int ez_rknn_simulator_configure(const char *settings) {
    return guarded("ez_rknn_simulator_configure", [&] {
        configure_thread(settings == nullptr ? "" : settings, *process_state().device, process_state().faults);
        return RKNN_SUCC;
    });
}

EZ_RKNN_EXPORT int ez_rknn_simulator_counters(const char *soc, uint32_t core, ez_rknn_core_counters *counters) {
    return guarded("ez_rknn_simulator_counters", [&] {
        const Soc *found = soc == nullptr ? nullptr : find_soc(soc);
        if (found == nullptr) fail(RKNN_ERR_PARAM_INVALID, "there is no such SoC; use one of ", soc_names());
        if (core >= found->cores) {
            fail(RKNN_ERR_PARAM_INVALID, found->name, " has cores 0 to ", found->cores - 1, ", but no core ", core);
        }
        if (counters == nullptr) fail(RKNN_ERR_PARAM_INVALID, "the counters pointer is NULL");
        const CoreCounters values = simulated_device().boards().of(*found).counters(core);
        *counters = {values.runs, values.busy_ns};
        return RKNN_SUCC;
    });
}

EZ_RKNN_EXPORT void ez_rknn_simulator_reset_counters(void) {
    guarded("ez_rknn_simulator_reset_counters", [] {
        simulated_device().boards().reset_counters();
        return RKNN_SUCC;
    });
}

EZ_RKNN_EXPORT uint32_t ez_rknn_simulator_contexts(void) {
    uint32_t count = 0;
    guarded("ez_rknn_simulator_contexts", [&] {
        count = process_state().contexts.count();
        return RKNN_SUCC;
    });
    return count;
}

EZ_RKNN_EXPORT uint32_t ez_rknn_simulator_release_hangs(void) {
    uint32_t released = 0;
    guarded("ez_rknn_simulator_release_hangs", [&] {
        released = process_state().hangs.release();
        return RKNN_SUCC;
    });
    return released;
}

EZ_RKNN_EXPORT int ez_rknn_simulator_device_pid(void) {
    int pid = 0;
    guarded("ez_rknn_simulator_device_pid", [&] {
        pid = simulated_device().process().pid();
        return RKNN_SUCC;
    });
    return pid;
}

EZ_RKNN_EXPORT void ez_rknn_simulator_set_host_python(const char *const *command, const char *why_not) {
    guarded("ez_rknn_simulator_set_host_python", [&] {
        std::vector<std::string> words;
        for (; command != nullptr && *command != nullptr; ++command) words.emplace_back(*command);
        set_host_python(std::move(words), why_not == nullptr ? "" : why_not);
        return RKNN_SUCC;
    });
}

EZ_RKNN_EXPORT uint64_t ez_rknn_simulator_calls(const char *function) {
    return function == nullptr ? 0 : CallCounter::calls_of(function);
}

EZ_RKNN_EXPORT int ez_rknn_simulator_layer_times(uint64_t context, ez_rknn_layer_time *layers, uint32_t *count) {
    return guarded("ez_rknn_simulator_layer_times", [&] {
        if (count == nullptr) fail(RKNN_ERR_PARAM_INVALID, "the count pointer is NULL");
        const std::shared_ptr<Context> found = process_state().contexts.find(context);
        const SimulatedModel &model = simulated_model(*found);
        const std::vector<Node> &nodes = model.file().graphs[found->graph_index()].nodes;
        const std::vector<LayerCost> &costs = model.graphs()[found->graph_index()].costs;
        const uint32_t room = layers == nullptr ? 0 : *count;
        *count = static_cast<uint32_t>(nodes.size());
        for (uint32_t i = 0; i < std::min(room, *count); ++i) {
            layers[i] = layer_time(nodes[i], costs[i], model.soc());
        }
        return RKNN_SUCC;
    });
}

EZ_RKNN_EXPORT int ez_rknn_simulator_durations(uint64_t context, int64_t ns[9], uint32_t *inferences) {
    return guarded("ez_rknn_simulator_durations", [&] {
        if (ns == nullptr || inferences == nullptr) fail(RKNN_ERR_PARAM_INVALID, "a pointer is NULL");
        const std::shared_ptr<Context> found = process_state().contexts.find(context);
        const SimulatedModel &model = simulated_model(*found);
        for (const auto &together : model.graphs()[found->graph_index()].durations_ns) {
            ns = std::copy(together.begin(), together.end(), ns);
        }
        *inferences = model.file().batch;
        return RKNN_SUCC;
    });
}

EZ_RKNN_EXPORT const char *ez_rknn_remark(uint64_t context) {
    thread_local std::string remark;
    remark.clear();
    guarded("ez_rknn_remark", [&] {
        remark = simulated_model(*process_state().contexts.find(context)).waits().remark();
        return RKNN_SUCC;
    });
    return remark.c_str();
}

EZ_RKNN_EXPORT const char *ez_rknn_last_error(void) {
    return last_error();
}
