#include "rknnrt/settings/settings.h"

#include <cmath>
#include <cstdlib>
#include <locale>
#include <sstream>

#include "rknn_abi.h"
#include "rknnrt/base/status.h"
#include "rknnrt/context/process.h"

namespace ez_rknn::simulator {

namespace {

constexpr const char *variable = "EZ_RKNN_SIMULATOR";
constexpr double longest_fixed_us = 3.6e9; /* an hour */
constexpr double largest_slowdown = 1e6;

thread_local std::string thread_text;
thread_local Faults thread_faults; /* those in the text, so that they go on counting */

std::string trimmed(const std::string &text) {
    const size_t first = text.find_first_not_of(" \t");
    if (first == std::string::npos) return "";
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/* A whole text as a number within a range, whatever locale the program has set: some write a comma for the point. */
double number(const std::string &text, double least, double most, const char *what) {
    std::istringstream stream(text);
    stream.imbue(std::locale::classic());
    double value = 0;
    if (!(stream >> value) || !stream.eof() || value < least || value > most) {
        fail(RKNN_ERR_PARAM_INVALID, what, " '", text, "' is not a number from ", least, " to ", most);
    }
    return value;
}

void set_soc(Settings &settings, const std::string &value) {
    settings.soc = find_soc(value);
    if (settings.soc == nullptr) {
        fail(RKNN_ERR_PARAM_INVALID, "there is no SoC '", value, "'; use one of ", soc_names());
    }
}

void set_timing(Settings &settings, const std::string &value) {
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

void set_compute(Settings &settings, const std::string &value) {
    if (value != "on" && value != "off") fail(RKNN_ERR_PARAM_INVALID, "compute '", value, "' is not on or off");
    settings.compute = value == "on";
}

void set_slowdown(Settings &settings, const std::string &value) {
    const size_t colon = value.find(':');
    if (colon == std::string::npos) fail(RKNN_ERR_PARAM_INVALID, "slowdown '", value, "' is not CORE:FACTOR");
    const double core = number(value.substr(0, colon), 0, max_cores - 1, "slowdown's core");
    if (core != std::floor(core)) fail(RKNN_ERR_PARAM_INVALID, "slowdown's core '", core, "' is not a whole number");
    settings.slowdown[static_cast<size_t>(core)] =
        number(value.substr(colon + 1), 1, largest_slowdown, "slowdown's factor");
}

void add_fault(Settings &settings, const std::string &value) {
    settings.fault_texts.push_back(value);
}

void set_counter(Settings &settings, const std::string &value) {
    settings.counter = value;
}

/* The keys, and what reads their values. */
struct Key {
    const char *name;
    void (*set)(Settings &, const std::string &);
};
constexpr Key keys[] = {
    {"soc", set_soc},           {"timing", set_timing}, {"compute", set_compute},
    {"slowdown", set_slowdown}, {"fault", add_fault},   {"counter", set_counter},
};

void set_one(Settings &settings, const std::string &item) {
    const size_t equals = item.find('=');
    const std::string name = trimmed(item.substr(0, equals));
    for (const Key &key : keys) {
        if (name != key.name) continue;
        if (equals == std::string::npos) fail(RKNN_ERR_PARAM_INVALID, "setting '", name, "' has no value");
        key.set(settings, trimmed(item.substr(equals + 1)));
        return;
    }
    fail(RKNN_ERR_PARAM_INVALID, "there is no setting '", name,
         "'; use soc, timing, compute, slowdown, fault or counter");
}

}  // namespace

Settings Settings::with(const std::string &text) const {
    Settings result = *this;
    size_t start = 0;
    while (start <= text.size()) {
        const size_t comma = std::min(text.find(',', start), text.size());
        const std::string item = trimmed(text.substr(start, comma - start));
        if (!item.empty()) set_one(result, item);
        start = comma + 1;
    }
    // The counter may be named after them.
    for (size_t i = result.faults.size(); i < result.fault_texts.size(); ++i) {
        result.faults.push_back(process_state().faults.find_or_make(result.fault_texts[i], result.counter));
    }
    return result;
}

void Settings::check(const Soc &soc) const {
    const auto check_core = [&](uint32_t core, const auto &...setting) {
        if (core < soc.cores) return;
        fail(RKNN_ERR_PARAM_INVALID, setting..., " names core ", core, ", but ", soc.name, " has ",
             soc.cores == 1 ? "only core 0" : text_of("cores 0 to ", soc.cores - 1));
    };
    for (uint32_t core = 0; core < max_cores; ++core) {
        if (slowdown[core] != 1) check_core(core, "slowdown=", core, ":", slowdown[core]);
    }
    for (const std::shared_ptr<Fault> &fault : faults) {
        if (fault->core()) check_core(*fault->core(), "fault=", fault->text());
        if (fault->action() == Fault::Action::lose && !compute) {
            fail(RKNN_ERR_PARAM_INVALID, "fault=", fault->text(), " loses the device process, but with compute=off ",
                 "there is none");
        }
    }
}

Settings current_settings() {
    const char *environment = std::getenv(variable);
    Settings settings;
    if (environment != nullptr) {
        try {
            settings = settings.with(environment);
            process_state().faults.keep(settings.faults);
        } catch (const StatusError &error) {
            fail(error.code(), "environment variable ", variable, ": ", error.text());
        }
    }
    return settings.with(thread_text);
}

void configure_thread(const std::string &text) {
    const Settings settings = Settings().with(text);  // refuses what is wrong before anything changes
    thread_text = text;
    thread_faults = settings.faults;
}

}  // namespace ez_rknn::simulator
