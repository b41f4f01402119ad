/* SPDX-License-Identifier: Apache-2.0 */
/* Settings of the simulated NPU: the SoC, the duration of a run, whether it computes. */
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "rknnrt/device/device.h"
#include "rknnrt/device/soc.h"

namespace ez_rknn::rknnrt::simulated {

enum class Timing { off, fixed, modelled };

class SimulatedSettings : public DeviceSettings {
  public:
    std::unique_ptr<DeviceSettings> copy() const override { return std::make_unique<SimulatedSettings>(*this); }
    std::vector<std::string> keys() const override;
    void set(const std::string &key, const std::string &value) override;
    void check(const Soc &asked) const override;
    std::string why_never_lost() const override;

    const Soc *soc = nullptr; /* NULL: the one that the model was compiled for */
    Timing timing = Timing::off;
    int64_t fixed_ns = 0;
    bool compute = true;
    std::array<double, max_cores> slowdown{1, 1, 1};
};

}  // namespace ez_rknn::rknnrt::simulated
