/* SPDX-License-Identifier: Apache-2.0 */
#include "rknnrt/settings/settings.h"

#include <algorithm>
#include <cstdlib>

#include "rknn_abi.h"
#include "rknnrt/base/status.h"

namespace ez_rknn::rknnrt {

namespace {

thread_local std::string thread_text;
thread_local Faults thread_faults; /* those in the text, so that they keep counting */

std::string trimmed(const std::string &text) {
    const size_t first = text.find_first_not_of(" \t");
    if (first == std::string::npos) return "";
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/* One "key=value". */
class Item {
  public:
    explicit Item(const std::string &text) : equals_(text.find('=')), key_(trimmed(text.substr(0, equals_))) {
        if (equals_ != std::string::npos) value_ = trimmed(text.substr(equals_ + 1));
    }

    const std::string &key() const { return key_; }
    const std::string &value() const {
        if (equals_ == std::string::npos) fail(RKNN_ERR_PARAM_INVALID, "setting '", key_, "' has no value");
        return value_;
    }

  private:
    size_t equals_;
    std::string key_;
    std::string value_;
};

std::string joined(const std::vector<std::string> &names) {
    std::string text;
    for (const std::string &name : names) text += name + ", ";
    return text;
}

void set_one(Settings &settings, DeviceSettings &device, const Item &item) {
    const std::vector<std::string> keys = device.keys();
    if (std::find(keys.begin(), keys.end(), item.key()) != keys.end()) {
        device.set(item.key(), item.value());
    } else if (item.key() == "fault") {
        settings.fault_texts.push_back(item.value());
    } else if (item.key() == "counter") {
        settings.counter = item.value();
    } else {
        std::string names = joined(keys);
        names.resize(names.size() - 2);
        fail(RKNN_ERR_PARAM_INVALID, "there is no setting '", item.key(), "'; use ", names, ", fault or counter");
    }
}

}  // namespace

Settings::Settings(std::shared_ptr<const DeviceSettings> of_device) : device(std::move(of_device)) {}

Settings Settings::with(const std::string &text, FaultRegistry &registry) const {
    Settings result = *this;
    std::unique_ptr<DeviceSettings> of_device = device->copy();
    size_t start = 0;
    while (start <= text.size()) {
        const size_t comma = std::min(text.find(',', start), text.size());
        const std::string item = trimmed(text.substr(start, comma - start));
        if (!item.empty()) set_one(result, *of_device, Item(item));
        start = comma + 1;
    }
    result.device = std::move(of_device);
    // The counter's name may follow them.
    for (size_t i = result.faults.size(); i < result.fault_texts.size(); ++i) {
        result.faults.push_back(registry.find_or_make(result.fault_texts[i], result.counter));
    }
    return result;
}

void Settings::check(const Soc &soc) const {
    device->check(soc);
    for (const std::shared_ptr<Fault> &fault : faults) {
        if (fault->core()) check_core(soc, *fault->core(), "fault=", fault->text());
        const std::string why = fault->action() == Fault::Action::lose ? device->why_never_lost() : "";
        if (!why.empty()) fail(RKNN_ERR_PARAM_INVALID, "fault=", fault->text(), why);
    }
}

Settings current_settings(const Device &device, FaultRegistry &registry) {
    const char *environment = std::getenv(device.settings_variable());
    Settings settings(device.default_settings());
    if (environment != nullptr) {
        try {
            settings = settings.with(environment, registry);
            registry.keep(settings.faults);
        } catch (const StatusError &error) {
            fail(error.code(), "environment variable ", device.settings_variable(), ": ", error.text());
        }
    }
    return settings.with(thread_text, registry);
}

void configure_thread(const std::string &text, const Device &device, FaultRegistry &registry) {
    // Fails on a wrong text before anything changes.
    const Settings settings = Settings(device.default_settings()).with(text, registry);
    thread_text = text;
    thread_faults = settings.faults;
}

}  // namespace ez_rknn::rknnrt
