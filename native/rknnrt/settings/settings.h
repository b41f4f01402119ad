/* What a context's device is told to be, and what goes wrong.
 *
 * Settings come from an environment variable, which the device names, and from what the calling thread was told, on top
 * of it, for the contexts that this thread creates. A context keeps those that it was created with. */
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
    std::string counter;                  /* whose calls the faults count: those with the same name count together */
    std::vector<std::string> fault_texts; /* as given; each is one of: */
    Faults faults;

    /* These settings with the "key=value,key=value" of `text` on top; RKNN_ERR_PARAM_INVALID says what is wrong. */
    Settings with(const std::string &text, FaultRegistry &registry) const;

    /* Fails with RKNN_ERR_PARAM_INVALID if they speak of what an NPU of that SoC, or one that computes nothing, does
     * not have. */
    void check(const Soc &soc) const;
};

/* The settings for a context that the calling thread creates now. */
Settings current_settings(const Device &device, FaultRegistry &registry);

/* Sets the calling thread's text on top of the environment's; "" removes it. */
void configure_thread(const std::string &text, const Device &device, FaultRegistry &registry);

}  // namespace ez_rknn::rknnrt
