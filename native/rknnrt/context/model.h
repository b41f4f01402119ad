/* SPDX-License-Identifier: Apache-2.0 */
/* An open model: made from a file by rknn_init, shared by a context and its duplicates. */
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "rknnrt/base/bytes.h"
#include "rknnrt/device/device.h"
#include "rknnrt/file/model_file.h"
#include "rknnrt/settings/settings.h"
#include "rknnrt/tensors/tensor_port.h"

namespace ez_rknn::rknnrt {

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
    std::vector<TensorPort> inputs;
    std::vector<TensorPort> outputs;
    std::vector<CustomOperatorPlan> custom_operators; /* in order of execution */
};

struct Model {
    explicit Model(Settings with) : settings(std::move(with)) {}

    ModelFile file;
    Settings settings;
    const Soc *soc = nullptr;
    std::vector<GraphPlan> graphs;
    std::shared_ptr<const Model> master; /* whose weights it uses; NULL: it has its own */
    std::shared_ptr<DeviceModel> device; /* reads `file` to its end */

    bool supports_cores(uint32_t cores) const { return ez_rknn::rknnrt::supports_cores(file.graphs[0], cores); }
};

/* Reads a model and opens it on the device. `file` has the same content, or is none. Missing weights are those of
 * `master`, which may be NULL. */
std::shared_ptr<const Model> load_model(const Bytes &bytes, const Settings &settings, const FileDescriptor &file,
                                        Device &device, const std::shared_ptr<const Model> &master);

}  // namespace ez_rknn::rknnrt
