/* SPDX-License-Identifier: Apache-2.0 */
/* A context of a model on the simulated NPU: its connection to the device process, and the cores of a run. */
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "devices/simulated/board.h"
#include "devices/simulated/device_socket.h"
#include "devices/simulated/simulated_model.h"
#include "rknnrt/base/pages.h"
#include "rknnrt/device/device.h"

namespace ez_rknn::rknnrt::simulated {

class SimulatedContext : public DeviceContext {
  public:
    /* With compute on, connects to the device process. */
    SimulatedContext(const SimulatedModel &model, uint32_t flags);

    int64_t run(const DeviceRun &run) override;
    OperatorPlaces operator_places(size_t graph, size_t custom_operator) const override;
    std::string perf_detail(size_t graph, bool layers) const override;

  private:
    void attach();
    void run_once(const DeviceRun &run, size_t inference);
    void load_inputs(const DeviceRun &run, size_t inference);
    void collect_outputs(const DeviceRun &run, size_t inference);
    void occupy_cores(const DeviceRun &run);
    double slowdown(const Board::Lease &lease) const;
    int64_t modelled_ns(const DeviceRun &run, const Board::Lease &lease) const;
    /* Returns the nanoseconds spent in custom operators. */
    int64_t compute(const DeviceRun &run, const Board::Lease &lease);
    void compute_stage(const DeviceRun &run, size_t stage, const Board::Lease &lease);
    const SimulatedGraph &graph(const DeviceRun &run) const { return model_.graphs()[run.graph]; }

    const SimulatedModel &model_;
    Sram::Share sram_; /* of the internal memory */
    Pages shared_;     /* with the device process */
    DeviceSocket channel_;
};

}  // namespace ez_rknn::rknnrt::simulated
