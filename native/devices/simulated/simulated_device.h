/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated NPU: a device that executes a model on the CPU, and models how long an NPU would have taken. */
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "devices/simulated/board.h"
#include "devices/simulated/current_process.h"
#include "rknnrt/device/device.h"

namespace ez_rknn::rknnrt::simulated {

class SimulatedDevice : public Device {
  public:
    const char *name() const override { return "simulated NPU"; }
    DeviceVersions versions() const override;

    const char *settings_variable() const override { return "EZ_RKNN_SIMULATOR"; }
    std::unique_ptr<DeviceSettings> default_settings() const override;

    const Soc &soc_for(const ModelFile &file, const DeviceSettings &settings) const override;
    std::shared_ptr<DeviceModel> open(const ModelToOpen &model) override;

    std::unique_ptr<DeviceMemory> allocate_buffer(size_t size) override;
    std::unique_ptr<DeviceMemory> allocate(size_t size, uint64_t flags, const Soc *soc) override;
    std::unique_ptr<DeviceMemory> import(int fd, int32_t offset, size_t size) override;

    void lose() override { process_.lose(); }

    Boards &boards() { return boards_; }
    CurrentProcess &process() { return process_; }

  private:
    Boards boards_;
    CurrentProcess process_;
};

/* The device of this process. */
SimulatedDevice &simulated_device();

}  // namespace ez_rknn::rknnrt::simulated
