/* SPDX-License-Identifier: Apache-2.0 */
#include "devices/simulated/simulated_model.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "devices/simulated/simulated_context.h"
#include "devices/simulated/simulated_device.h"
#include "rknn_abi.h"
#include "rknnrt/base/sizes.h"
#include "rknnrt/base/status.h"

namespace ez_rknn::rknnrt::simulated {

namespace {

constexpr uint64_t tensor_alignment = 64;

uint64_t place(const TensorPort &port, uint64_t offset, std::vector<TensorPlace> &places) {
    places.push_back({offset, port.dense_bytes});
    return aligned(offset + port.dense_bytes, tensor_alignment);
}

uint64_t place(const std::vector<TensorPort> &ports, uint64_t offset, std::vector<TensorPlace> &places) {
    for (const TensorPort &port : ports) offset = place(port, offset, places);
    return offset;
}

uint64_t place_operands(const Graph &graph, const std::vector<uint32_t> &tensors, uint64_t offset,
                        std::vector<TensorPlace> &places) {
    for (uint32_t index : tensors) offset = place(make_operand_port(graph, index), offset, places);
    return offset;
}

/* Places every tensor of a graph that the device process and this one share; returns the bytes needed. */
uint64_t place(const Graph &graph, SimulatedGraph &plan) {
    uint64_t end = place(plan.inputs, 0, plan.placement.inputs);
    end = place(plan.outputs, end, plan.placement.outputs);
    for (const Node &node : graph.nodes) {
        if (!node.custom) continue;
        OperatorPlacement placement;
        end = place_operands(graph, node.operands, end, placement.inputs);
        end = place_operands(graph, node.outputs, end, placement.outputs);
        plan.placement.custom_operators.push_back(std::move(placement));
    }
    if (!plan.placement.custom_operators.empty() && end > INT32_MAX) {
        fail(RKNN_ERR_MODEL_INVALID, "the tensors of the model's custom operators do not fit into 2 GiB");
    }
    return end;
}

SimulatedGraph prepare(const ModelFile &file, const Graph &graph, const Soc &soc) {
    SimulatedGraph result;
    result.inputs = make_input_ports(graph, file.batch, soc);
    result.outputs = make_output_ports(graph, file.batch, soc);
    result.costs = layer_costs(graph, soc);
    for (uint32_t together = 1; together <= max_cores; ++together) {
        for (uint32_t busy = together; busy <= max_cores; ++busy) {
            result.durations_ns[together - 1][busy - 1] = graph_duration_ns(result.costs, {together, busy}, soc);
        }
    }
    return result;
}

/* The model's bytes as a file that the device process can map. */
FileDescriptor as_file(const Bytes &bytes) {
    FileDescriptor file = FileDescriptor::memory("ez_rknn_model", bytes.size());
    const uint8_t *data = bytes.at(0, bytes.size(), "model");
    size_t written = 0;
    while (written < bytes.size()) {
        const ssize_t now = pwrite(file.get(), data + written, bytes.size() - written, static_cast<off_t>(written));
        if (now < 0 && errno == EINTR) continue;
        if (now <= 0) fail(RKNN_ERR_MALLOC_FAIL, "cannot copy the model for the device: ", std::strerror(errno));
        written += static_cast<size_t>(now);
    }
    return file;
}

std::shared_ptr<LoadedModel> load(SimulatedDevice &device, const ModelToOpen &model) {
    std::shared_ptr<LoadedModel> weights;
    if (model.weights != nullptr) weights = static_cast<const SimulatedModel *>(model.weights)->loaded();
    if (model.weights != nullptr && weights == nullptr) {
        fail(RKNN_ERR_PARAM_INVALID,
             "the context whose weights are to be used was made with compute=off: its weights were not loaded");
    }
    if (model.descriptor) return device.process().load(model.descriptor, weights);
    return device.process().load(as_file(model.content), weights);
}

}  // namespace

SimulatedModel::SimulatedModel(SimulatedDevice &device, const ModelToOpen &model)
    : file_(model.file),
      soc_(model.soc),
      settings_(static_cast<const SimulatedSettings &>(model.settings)),
      board_(device.boards().of(model.soc)) {
    for (const Graph &graph : file_.graphs) {
        SimulatedGraph prepared = prepare(file_, graph, soc_);
        shared_bytes_ = std::max(shared_bytes_, place(graph, prepared));
        graphs_.push_back(std::move(prepared));
    }
    if (settings_.compute) loaded_ = load(device, model);
}

SramSize SimulatedModel::sram() const {
    return {board_.sram().total(), board_.sram().free()};
}

std::unique_ptr<DeviceContext> SimulatedModel::make_context(uint32_t flags) {
    return std::make_unique<SimulatedContext>(*this, flags);
}

}  // namespace ez_rknn::rknnrt::simulated
