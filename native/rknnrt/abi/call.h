/* SPDX-License-Identifier: Apache-2.0 */
/* The frame around every function of the interface.
 *
 * guarded() is the one entry: it applies the faults set for the call, runs the body, and turns every exception into a
 * code. */
#pragma once

#include <cstdint>
#include <optional>

#include "rknn_abi.h"
#include "rknnrt/abi/call_counter.h"
#include "rknnrt/base/status.h"
#include "rknnrt/settings/fault.h"

namespace ez_rknn::rknnrt {

/* Says that a call makes a context from nothing: the faults in the calling thread's settings apply. */
struct NewContext {};

/* A call of one function of the interface. */
struct Call {
    /* For a function that is not the vendor's: no faults apply. */
    Call(const char *function) : name(function) {}
    Call(const char *function, NewContext) : name(function), makes_context(true) {}
    /* The faults in that context's settings apply. */
    Call(const char *function, rknn_context handle) : name(function), context(handle) {}
    /* The same, for a function that ties the context to other cores. */
    Call(const char *function, rknn_context handle, uint32_t mask) : Call(function, handle) { core_mask = mask; }

    const char *name;
    bool makes_context = false;
    std::optional<rknn_context> context;
    std::optional<uint32_t> core_mask;
};

/* Applies the faults that are due for this call: a delay, a hang, the loss of the device, or failing with the fault's
 * code. */
void meet_faults(const Call &call);

/* Runs the body of one function of the interface and turns every exception into a code. */
template <typename Body>
int guarded(const Call &call, Body &&body) noexcept {
    static CallCounter calls(call.name);  // each body is a type of its own, so each function has its own counter
    calls.count();
    set_last_error("");
    try {
        // A new context's settings must be read to know; otherwise a process without faults pays one load for them.
        if (call.makes_context || Fault::any()) meet_faults(call);
        return body();
    } catch (...) {
        return report_current_exception(call.name);
    }
}

}  // namespace ez_rknn::rknnrt
