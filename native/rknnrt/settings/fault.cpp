/* SPDX-License-Identifier: Apache-2.0 */
#include "rknnrt/settings/fault.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "rknn_abi.h"
#include "rknnrt/base/status.h"
#include "rknnrt/base/text.h"
#include "rknnrt/device/soc.h"

namespace ez_rknn::rknnrt {

namespace {

constexpr long long most_calls = 1000000000000;
constexpr long long longest_delay_us = 3600000000; /* an hour */
constexpr long long lowest_code = -9999;           /* beyond the interface's own, as a newer runtime might have them */

/* At these calls there is no context yet that a core mask could have tied to a core. */
constexpr const char *without_core[] = {"rknn_init", "rknn_dup_context"};
constexpr const char *with_core[] = {
    "rknn_destroy",
    "rknn_query",
    "rknn_inputs_set",
    "rknn_set_batch_core_num",
    "rknn_set_core_mask",
    "rknn_run",
    "rknn_wait",
    "rknn_outputs_get",
    "rknn_outputs_release",
    "rknn_create_mem",
    "rknn_create_mem2",
    "rknn_create_mem_from_fd",
    "rknn_create_mem_from_phys",
    "rknn_create_mem_from_mb_blk",
    "rknn_destroy_mem",
    "rknn_mem_sync",
    "rknn_set_io_mem",
    "rknn_set_weight_mem",
    "rknn_set_internal_mem",
    "rknn_set_input_shape",
    "rknn_set_input_shapes",
    "rknn_register_custom_ops",
};

template <typename Names>
bool has(const Names &names, const std::string &name) {
    return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

std::string function_names() {
    std::string names;
    for (const char *name : without_core) names += names.empty() ? name : std::string(", ") + name;
    for (const char *name : with_core) names += std::string(", ") + name;
    return names;
}

/* Reads a whole text as a whole number within a range. */
long long number(const std::string &text, long long least, long long most, const char *what) {
    char *end = nullptr;
    errno = 0;
    const long long value = std::strtoll(text.c_str(), &end, 10);
    if (text.empty() || text[0] == ' ' || *end != '\0' || errno != 0 || value < least || value > most) {
        fail(RKNN_ERR_PARAM_INVALID, what, " '", text, "' is not a whole number from ", least, " to ", most);
    }
    return value;
}

}  // namespace

std::atomic<int> Fault::alive{0};

Fault::Fault(const std::string &text) : text_(text) {
    try {
        const size_t colon = text.find(':');
        if (colon == std::string::npos) fail(RKNN_ERR_PARAM_INVALID, "it has no ACTION");
        read_place(text.substr(0, colon));
        read_action(text.substr(colon + 1));
    } catch (const StatusError &error) {
        fail(error.code(), "fault '", text, "' is not FUNCTION[@coreN][#N|#everyN]:ACTION: ", error.text());
    }
    ++alive;
}

Fault::~Fault() {
    --alive;
}

void Fault::read_place(const std::string &place) {
    const size_t hash = std::min(place.find('#'), place.size());
    if (hash < place.size()) read_when(place.substr(hash + 1));
    const size_t at = std::min(place.find('@'), hash);
    function_ = place.substr(0, at);
    if (!has(without_core, function_) && !has(with_core, function_)) {
        fail(RKNN_ERR_PARAM_INVALID, "there is no function '", function_, "'; use one of ", function_names());
    }
    if (at == hash) return;
    const std::string core = place.substr(at + 1, hash - at - 1);
    if (!starts_with(core, "core")) fail(RKNN_ERR_PARAM_INVALID, "'@", core, "' is not @core0, @core1 or @core2");
    core_ = static_cast<uint32_t>(number(core.substr(4), 0, max_cores - 1, "the core"));
    if (has(without_core, function_)) {
        fail(RKNN_ERR_PARAM_INVALID, "a context has no core yet when ", function_, " is called; leave out @core",
             *core_);
    }
}

void Fault::read_when(const std::string &when) {
    const std::string every = "every";
    repeated_ = starts_with(when, every);
    number_ =
        static_cast<uint64_t>(number(repeated_ ? when.substr(every.size()) : when, 1, most_calls, "the call's number"));
}

void Fault::read_action(const std::string &action) {
    const std::string failing = "fail=", delaying = "delay=";
    if (action == "hang") {
        action_ = Action::hang;
    } else if (action == "lose") {
        action_ = Action::lose;
    } else if (starts_with(action, failing)) {
        action_ = Action::fail;
        code_ = static_cast<int>(number(action.substr(failing.size()), lowest_code, -1, "the code"));
    } else if (starts_with(action, delaying)) {
        action_ = Action::delay;
        delay_ns_ = number(action.substr(delaying.size()), 0, longest_delay_us, "the delay") * 1000;
    } else {
        fail(RKNN_ERR_PARAM_INVALID, "action '", action, "' is not fail=CODE, delay=MICROSECONDS, hang or lose");
    }
}

bool Fault::is_due(const char *function, uint32_t cores) {
    if (function_ != function) return false;
    if (core_ && (cores >> *core_ & 1U) == 0) return false;
    const uint64_t call = ++calls_;
    return repeated_ ? call % number_ == 0 : call == number_;
}

}  // namespace ez_rknn::rknnrt
