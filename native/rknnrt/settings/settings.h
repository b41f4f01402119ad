/* What the simulated NPU is told to be: the SoC, how long a run takes, whether it computes, what goes wrong.
 *
 * Settings come from the environment variable EZ_RKNN_SIMULATOR and, on top of it, from ez_rknn_simulator_configure
 * for the contexts that the calling thread creates. A context keeps those that it was created with. */
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "rknnrt/device/soc.h"
#include "rknnrt/settings/faults.h"

namespace ez_rknn::simulator {

enum class Timing { off, fixed, modelled };

struct Settings {
    const Soc *soc = nullptr; /* NULL: the one that the model was compiled for */
    Timing timing = Timing::off;
    int64_t fixed_ns = 0;
    bool compute = true;
    std::array<double, max_cores> slowdown{1, 1, 1};
    std::string counter;                  /* whose calls the faults count: those with the same name count together */
    std::vector<std::string> fault_texts; /* as given; each is one of: */
    Faults faults;

    /* These settings with the "key=value,key=value" of `text` on top; RKNN_ERR_PARAM_INVALID says what is wrong. */
    Settings with(const std::string &text) const;

    /* Fails with RKNN_ERR_PARAM_INVALID if they speak of what an NPU of that SoC, or one that computes nothing, does
     * not have. */
    void check(const Soc &soc) const;
};

/* The settings for a context that the calling thread creates now. */
Settings current_settings();

/* Sets the calling thread's text on top of the environment's; "" removes it. */
void configure_thread(const std::string &text);

}  // namespace ez_rknn::simulator
