/* What every function of the interface has around its body.
 *
 * guarded() is the one way in: it meets the faults that are set for the call, runs the body, and turns whatever is
 * thrown into a code. */
#pragma once

#include <cstdint>
#include <optional>

#include "rknn_abi.h"
#include "rknnrt/abi/call_counter.h"
#include "rknnrt/base/status.h"
#include "rknnrt/settings/fault.h"

namespace ez_rknn::rknnrt {

/* Says that a call makes a context out of nothing: it meets the faults in the settings of the calling thread. */
struct NewContext {};

/* A call of one function of the interface. */
struct Call {
    /* Of a function that is not the vendor's: it meets no faults. */
    Call(const char *function) : name(function) {}
    Call(const char *function, NewContext) : name(function), makes_context(true) {}
    /* Meets the faults in the settings of that context. */
    Call(const char *function, rknn_context handle) : name(function), context(handle) {}
    /* The same, of a function that ties the context to other cores. */
    Call(const char *function, rknn_context handle, uint32_t mask) : Call(function, handle) { core_mask = mask; }

    const char *name;
    bool makes_context = false;
    std::optional<rknn_context> context;
    std::optional<uint32_t> core_mask;
};

/* Lets the faults that are due for this call happen to it: it takes longer, it hangs, the device is lost, or it fails
 * with the fault's code. */
void meet_faults(const Call &call);

/* Runs the body of one function of the interface: whatever it throws becomes a code, and nothing leaves it. */
template <typename Body>
int guarded(const Call &call, Body &&body) noexcept {
    static CallCounter calls(call.name);  // a body is a type of its own, and so a function has a counter of its own
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
