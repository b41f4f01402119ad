/* SPDX-License-Identifier: Apache-2.0 */
/* The settings of a context: those of its device, and its faults.
 *
 * Settings come from an environment variable, which the device names, and on top of it from the calling thread's text,
 * for the contexts that this thread creates. A context keeps the settings that it was created with. */
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "rknnrt/device/device.h"
#include "rknnrt/settings/faults.h"

namespace ez_rknn::rknnrt {

struct Settings {
    explicit Settings(std::shared_ptr<const DeviceSettings> of_device);

    std::shared_ptr<const DeviceSettings> device;
    std::string counter;                  /* the counter of the faults: contexts with the same name count together */
    std::vector<std::string> fault_texts; /* as given; each is one of: */
    Faults faults;

    /* These settings with the "key=value,key=value" of `text` on top; fails with RKNN_ERR_PARAM_INVALID, saying what is
     * wrong. */
    Settings with(const std::string &text, FaultRegistry &registry) const;

    /* Fails with RKNN_ERR_PARAM_INVALID if they name something that an NPU of that SoC, or one that computes nothing,
     * does not have. */
    void check(const Soc &soc) const;
};

/* The settings for a context that the calling thread creates now. */
Settings current_settings(const Device &device, FaultRegistry &registry);

/* Sets the calling thread's text on top of the environment's; "" removes it. */
void configure_thread(const std::string &text, const Device &device, FaultRegistry &registry);

}  // namespace ez_rknn::rknnrt
