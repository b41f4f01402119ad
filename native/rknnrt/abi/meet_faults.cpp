/* SPDX-License-Identifier: Apache-2.0 */
/* The effects of faults on a call. */
#include "rknnrt/abi/call.h"
#include "rknnrt/base/wait.h"
#include "rknnrt/context/process.h"
#include "rknnrt/settings/settings.h"

namespace ez_rknn::rknnrt {

namespace {

/* The cores that a mask ties a context to: none, for AUTO on an SoC with several. */
uint32_t cores_of(uint32_t mask, const Soc &soc) {
    const uint32_t all = (1U << soc.cores) - 1;
    return soc.cores == 1 ? all : mask & all;
}

/* The faults due for the call. All of them count it, even if an earlier one makes it fail. */
Faults due(const Call &call, const Faults &faults, uint32_t cores) {
    Faults result;
    for (const std::shared_ptr<Fault> &fault : faults) {
        if (fault->is_due(call.name, cores)) result.push_back(fault);
    }
    return result;
}

Faults due(const Call &call) {
    if (call.makes_context)
        return due(call, current_settings(*process_state().device, process_state().faults).faults, 0);
    if (!call.context) return {};
    const std::shared_ptr<Context> context = process_state().contexts.look_up(*call.context);
    if (context == nullptr) return {};  // the function reports that
    const Model &model = *context->model();
    return due(call, model.settings.faults, cores_of(call.core_mask.value_or(context->core_mask()), *model.soc));
}

void happen(const Fault &fault) {
    switch (fault.action()) {
        case Fault::Action::delay:
            wait_until_ns(now_ns() + fault.delay_ns());
            break;
        case Fault::Action::hang:
            process_state().hangs.hang();
            break;
        case Fault::Action::lose:
            process_state().device->lose();
            break;
        case Fault::Action::fail:
            fail(fault.code(), "the setting fault=", fault.text(), " asks for it");
    }
}

}  // namespace

void meet_faults(const Call &call) {
    for (const std::shared_ptr<Fault> &fault : due(call)) happen(*fault);
}

}  // namespace ez_rknn::rknnrt
