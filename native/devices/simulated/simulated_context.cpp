/* SPDX-License-Identifier: Apache-2.0 */
#include "devices/simulated/simulated_context.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <vector>

#include "devices/simulated/load_input.h"
#include "devices/simulated/perf_detail.h"
#include "rknn_abi.h"
#include "rknnrt/base/status.h"
#include "rknnrt/base/wait.h"
#include "rknnrt/tensors/convert_input.h"

namespace ez_rknn::rknnrt::simulated {

SimulatedContext::SimulatedContext(const SimulatedModel &model, uint32_t flags) : model_(model) {
    if ((flags & RKNN_FLAG_ENABLE_SRAM) != 0) sram_ = model_.board().sram().take(model_.file().internal_bytes);
    if (model_.computes()) attach();
}

void SimulatedContext::attach() {
    const FileDescriptor memory = FileDescriptor::memory("ez_rknn_tensors", model_.shared_bytes());
    shared_ = Pages::shared(memory, model_.shared_bytes());
    std::vector<GraphPlacement> placements;
    for (const SimulatedGraph &graph : model_.graphs()) placements.push_back(graph.placement);
    channel_ = model_.loaded()->process()->attach(model_.loaded()->id(), placements, memory);
}

int64_t SimulatedContext::run(const DeviceRun &run) {
    const std::vector<TensorPort> &ports = graph(run).inputs;
    for (size_t i = 0; i < run.inputs.size(); ++i) {
        const DeviceInput &input = run.inputs[i];
        if (input.in_place && ports[i].fills_rows) fill_row_ends(ports[i], input.memory->data());
    }
    for (size_t inference = 0; inference < model_.file().batch; ++inference) run_once(run, inference);
    return now_ns();
}

void SimulatedContext::run_once(const DeviceRun &run, size_t inference) {
    if (model_.computes()) load_inputs(run, inference);
    occupy_cores(run);
    if (model_.computes()) collect_outputs(run, inference);
}

void SimulatedContext::load_inputs(const DeviceRun &run, size_t inference) {
    const SimulatedGraph &plan = graph(run);
    for (size_t i = 0; i < run.inputs.size(); ++i) {
        const DeviceInput &input = run.inputs[i];
        const size_t offset = inference * plan.inputs[i].stored_bytes;
        load_input(plan.inputs[i], input.reading, input.memory->data() + offset,
                   shared_.data() + plan.placement.inputs[i].offset);
    }
}

void SimulatedContext::collect_outputs(const DeviceRun &run, size_t inference) {
    const SimulatedGraph &plan = graph(run);
    for (size_t i = 0; i < run.outputs.size(); ++i) {
        const size_t size = plan.outputs[i].dense_bytes;
        std::memcpy(run.outputs[i]->data() + inference * size, shared_.data() + plan.placement.outputs[i].offset, size);
    }
}

/* Holds the cores for as long as the inference takes: modelled, or computed if that takes longer. The time of custom
 * operators is added: only their author knows what they do. */
void SimulatedContext::occupy_cores(const DeviceRun &run) {
    Board::Lease lease = model_.board().acquire(run.core_mask);
    int64_t outside = 0;
    int64_t computed = 0;
    if (model_.computes()) {
        const int64_t begin = now_ns();
        outside = compute(run, lease);
        computed = now_ns() - begin - outside;
    }
    const int64_t modelled = modelled_ns(run, lease);
    const double factor = slowdown(lease);
    const auto end =
        lease.start_ns() + outside + static_cast<int64_t>(static_cast<double>(std::max(modelled, computed)) * factor);
    wait_until_ns(end);
    if (modelled > 0) {
        const auto duration = static_cast<int64_t>(static_cast<double>(modelled) * factor);
        model_.waits().count(duration, now_ns() - (lease.start_ns() + outside + duration));
    }
    lease.set_end(modelled > computed ? end : now_ns());
}

double SimulatedContext::slowdown(const Board::Lease &lease) const {
    double slowest = 1;
    for (uint32_t core = 0; core < max_cores; ++core) {
        if ((lease.mask() >> core & 1U) != 0) slowest = std::max(slowest, model_.settings().slowdown[core]);
    }
    return slowest;
}

int64_t SimulatedContext::modelled_ns(const DeviceRun &run, const Board::Lease &lease) const {
    switch (model_.settings().timing) {
        case Timing::fixed:
            return model_.settings().fixed_ns;
        case Timing::modelled:
            return graph(run).modelled_ns({lease.core_count(), lease.busy_cores()});
        case Timing::off:
            break;
    }
    return 0;
}

/* The device computes up to each custom operator and after the last one; this thread runs the operators. */
int64_t SimulatedContext::compute(const DeviceRun &run, const Board::Lease &lease) {
    const size_t operators = graph(run).placement.custom_operators.size();
    int64_t outside = 0;
    for (size_t i = 0; i < operators; ++i) {
        compute_stage(run, i, lease);
        const int64_t begin = now_ns();
        run.compute_custom_operator(i);
        outside += now_ns() - begin;
    }
    compute_stage(run, operators, lease);
    return outside;
}

void SimulatedContext::compute_stage(const DeviceRun &run, size_t stage, const Board::Lease &lease) {
    Request request(Opcode::run);
    request.u32(static_cast<uint32_t>(run.graph)).u32(static_cast<uint32_t>(stage));
    request.u32(lease.first_core()).u32(lease.core_count());
    const std::optional<Reply> reply = channel_.request(request);
    if (!reply) {
        channel_.close();
        model_.loaded()->process()->fail_as_lost();
    }
    if (reply->status != RKNN_SUCC) fail(reply->status, reply->text);
}

OperatorPlaces SimulatedContext::operator_places(size_t graph, size_t custom_operator) const {
    const OperatorPlacement &placement = model_.graphs()[graph].placement.custom_operators[custom_operator];
    OperatorPlaces result;
    for (const TensorPlace &place : placement.inputs)
        result.inputs.push_back({shared_.data(), place.offset, place.size});
    for (const TensorPlace &place : placement.outputs)
        result.outputs.push_back({shared_.data(), place.offset, place.size});
    return result;
}

std::string SimulatedContext::perf_detail(size_t graph, bool layers) const {
    return perf_detail_text(model_, graph, layers);
}

}  // namespace ez_rknn::rknnrt::simulated
