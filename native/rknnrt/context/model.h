/* A model on the simulated NPU: what rknn_init makes of a file, shared by a context and its duplicates. */
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "devices/simulated/device.h"
#include "devices/simulated/timing.h"
#include "rknnrt/base/bytes.h"
#include "rknnrt/file/model_file.h"
#include "rknnrt/settings/settings.h"
#include "rknnrt/tensors/tensor_port.h"

namespace ez_rknn::simulator {

/* One custom operator of a graph. */
struct CustomOperatorPlan {
    std::string type; /* "cstSoftmax" */
    std::string name; /* of the ONNX node */
    std::vector<OperatorAttribute> attributes;
    std::vector<TensorPort> inputs;
    std::vector<TensorPort> outputs;
};

/* One graph, prepared for running. */
struct GraphPlan {
    /* How long an inference takes by the timing model. */
    int64_t modelled_ns(CoreUse use) const { return durations_ns.at(use.together - 1).at(use.busy - 1); }

    std::vector<TensorPort> inputs;
    std::vector<TensorPort> outputs;
    std::vector<CustomOperatorPlan> custom_operators; /* in order of execution */
    std::vector<LayerCost> costs;
    /* By the cores that work together, less one, and by those that are busy in all, less one. */
    std::array<std::array<int64_t, max_cores>, max_cores> durations_ns{};
    GraphPlacement placement; /* in the memory shared with the device process */
};

struct Model {
    ModelFile file;
    Settings settings;
    const Soc *soc = nullptr;
    std::vector<GraphPlan> graphs;
    uint64_t shared_bytes = 0;           /* that the largest graph's tensors need */
    std::shared_ptr<DeviceModel> device; /* NULL when nothing is computed */
    std::shared_ptr<const Model> master; /* whose weights it uses; NULL: it has its own */

    bool supports_cores(uint32_t cores) const { return simulator::supports_cores(file.graphs[0], cores); }
};

/* Reads a model and prepares it. `file` is given to the device process when there is something to compute. Weights that
 * it leaves out are those of `master`, which may be NULL. */
std::shared_ptr<const Model> load_model(const Bytes &bytes, const Settings &settings, const FileDescriptor &file,
                                        Device &device, const std::shared_ptr<const Model> &master);

}  // namespace ez_rknn::simulator
