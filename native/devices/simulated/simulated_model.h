/* SPDX-License-Identifier: Apache-2.0 */
/* A model on the simulated NPU: the cost of its layers, and the place of its tensors in the memory shared with the
 * device process. */
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "devices/simulated/current_process.h"
#include "devices/simulated/settings.h"
#include "devices/simulated/timing.h"
#include "devices/simulated/waits.h"
#include "rknnrt/device/device.h"
#include "rknnrt/tensors/tensor_port.h"

namespace ez_rknn::rknnrt::simulated {

class Board;
class SimulatedDevice;

/* One graph, prepared for running. */
struct SimulatedGraph {
    /* The modelled duration of an inference. */
    int64_t modelled_ns(CoreUse use) const { return durations_ns.at(use.together - 1).at(use.busy - 1); }

    std::vector<TensorPort> inputs;
    std::vector<TensorPort> outputs;
    std::vector<LayerCost> costs;
    /* Indexed by the cores working together, less one, and by all busy cores, less one. */
    std::array<std::array<int64_t, max_cores>, max_cores> durations_ns{};
    GraphPlacement placement; /* in the memory shared with the device process */
};

class SimulatedModel : public DeviceModel {
  public:
    SimulatedModel(SimulatedDevice &device, const ModelToOpen &model);

    bool computes() const override { return loaded_ != nullptr; }
    SramSize sram() const override;
    std::unique_ptr<DeviceContext> make_context(uint32_t flags) override;

    const ModelFile &file() const { return file_; }
    const Soc &soc() const { return soc_; }
    const SimulatedSettings &settings() const { return settings_; }
    Board &board() const { return board_; }
    const std::vector<SimulatedGraph> &graphs() const { return graphs_; }
    /* Counted by every context of the model. */
    Waits &waits() const { return waits_; }
    uint64_t shared_bytes() const { return shared_bytes_; }
    /* NULL with compute=off. */
    const std::shared_ptr<LoadedModel> &loaded() const { return loaded_; }

  private:
    const ModelFile &file_;
    const Soc &soc_;
    const SimulatedSettings settings_;
    Board &board_;
    mutable Waits waits_;
    std::vector<SimulatedGraph> graphs_;
    uint64_t shared_bytes_ = 0; /* for the tensors of the largest graph */
    std::shared_ptr<LoadedModel> loaded_;
};

}  // namespace ez_rknn::rknnrt::simulated
