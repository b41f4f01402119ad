/* SPDX-License-Identifier: Apache-2.0 */
#include "devices/simulated/settings.h"

#include <cmath>
#include <locale>
#include <sstream>

#include "rknn_abi.h"
#include "rknnrt/base/status.h"

namespace ez_rknn::rknnrt::simulated {

namespace {

constexpr double longest_fixed_us = 3.6e9; /* an hour */
constexpr double largest_slowdown = 1e6;

/* A whole text as a number within a range, in any locale of the program: some have a decimal comma. */
double number(const std::string &text, double least, double most, const char *what) {
    std::istringstream stream(text);
    stream.imbue(std::locale::classic());
    double value = 0;
    if (!(stream >> value) || !stream.eof() || value < least || value > most) {
        fail(RKNN_ERR_PARAM_INVALID, what, " '", text, "' is not a number from ", least, " to ", most);
    }
    return value;
}

void set_soc(SimulatedSettings &settings, const std::string &value) {
    settings.soc = find_soc(value);
    if (settings.soc == nullptr) {
        fail(RKNN_ERR_PARAM_INVALID, "there is no SoC '", value, "'; use one of ", soc_names());
    }
}

void set_timing(SimulatedSettings &settings, const std::string &value) {
    const std::string fixed = "fixed:";
    if (value == "off") {
        settings.timing = Timing::off;
    } else if (value == "modelled") {
        settings.timing = Timing::modelled;
    } else if (value.compare(0, fixed.size(), fixed) == 0) {
        settings.timing = Timing::fixed;
        settings.fixed_ns = std::llround(number(value.substr(fixed.size()), 0, longest_fixed_us, "timing") * 1e3);
    } else {
        fail(RKNN_ERR_PARAM_INVALID, "timing '", value, "' is not off, fixed:MICROSECONDS or modelled");
    }
}

void set_compute(SimulatedSettings &settings, const std::string &value) {
    if (value != "on" && value != "off") fail(RKNN_ERR_PARAM_INVALID, "compute '", value, "' is not on or off");
    settings.compute = value == "on";
}

void set_slowdown(SimulatedSettings &settings, const std::string &value) {
    const size_t colon = value.find(':');
    if (colon == std::string::npos) fail(RKNN_ERR_PARAM_INVALID, "slowdown '", value, "' is not CORE:FACTOR");
    const double core = number(value.substr(0, colon), 0, max_cores - 1, "slowdown's core");
    if (core != std::floor(core)) fail(RKNN_ERR_PARAM_INVALID, "slowdown's core '", core, "' is not a whole number");
    settings.slowdown[static_cast<size_t>(core)] =
        number(value.substr(colon + 1), 1, largest_slowdown, "slowdown's factor");
}

/* The keys and the readers of their values. */
struct Key {
    const char *name;
    void (*set)(SimulatedSettings &, const std::string &);
};
constexpr Key known_keys[] = {
    {"soc", set_soc},
    {"timing", set_timing},
    {"compute", set_compute},
    {"slowdown", set_slowdown},
};

}  // namespace

std::vector<std::string> SimulatedSettings::keys() const {
    std::vector<std::string> names;
    for (const Key &key : known_keys) names.emplace_back(key.name);
    return names;
}

void SimulatedSettings::set(const std::string &name, const std::string &value) {
    for (const Key &key : known_keys) {
        if (name == key.name) key.set(*this, value);
    }
}

void SimulatedSettings::check(const Soc &asked) const {
    for (uint32_t core = 0; core < max_cores; ++core) {
        if (slowdown[core] != 1) check_core(asked, core, "slowdown=", core, ":", slowdown[core]);
    }
}

std::string SimulatedSettings::why_never_lost() const {
    return compute ? "" : " loses the device process, but with compute=off there is none";
}

}  // namespace ez_rknn::rknnrt::simulated
