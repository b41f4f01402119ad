#include "rknnrt/settings/faults.h"

#include <iterator>

#include "rknnrt/abi/call.h"
#include "rknnrt/base/wait.h"
#include "rknnrt/context/process.h"
#include "rknnrt/settings/settings.h"

namespace ez_rknn::simulator {

namespace {

/* The cores that a mask ties a context to: none, for AUTO on an SoC with several. */
uint32_t cores_of(uint32_t mask, const Soc &soc) {
    const uint32_t all = (1U << soc.cores) - 1;
    return soc.cores == 1 ? all : mask & all;
}

/* Those that the call is to meet. All of them count it, whichever of them makes it fail. */
Faults due(const Call &call, const Faults &faults, uint32_t cores) {
    Faults result;
    for (const std::shared_ptr<Fault> &fault : faults) {
        if (fault->is_due(call.name, cores)) result.push_back(fault);
    }
    return result;
}

Faults due(const Call &call) {
    if (call.makes_context) return due(call, current_settings().faults, 0);
    if (!call.context) return {};
    const std::shared_ptr<Context> context = process_state().contexts.look_up(*call.context);
    if (context == nullptr) return {};  // the function will say so
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
            process_state().device.lose();
            break;
        case Fault::Action::fail:
            fail(fault.code(), "the setting fault=", fault.text(), " asks for it");
    }
}

}  // namespace

void meet_faults(const Call &call) {
    for (const std::shared_ptr<Fault> &fault : due(call)) happen(*fault);
}

std::shared_ptr<Fault> FaultRegistry::find_or_make(const std::string &text, const std::string &counter) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto known = faults_.find({counter, text});
    std::shared_ptr<Fault> fault = known != faults_.end() ? known->second.lock() : nullptr;
    if (fault != nullptr) return fault;
    fault = std::make_shared<Fault>(text);
    for (auto entry = faults_.begin(); entry != faults_.end();) {
        entry = entry->second.expired() ? faults_.erase(entry) : std::next(entry);
    }
    faults_[{counter, text}] = fault;
    return fault;
}

void FaultRegistry::keep(const Faults &faults) {
    const std::lock_guard<std::mutex> lock(mutex_);
    kept_.insert(faults.begin(), faults.end());
}

void Hangs::hang() {
    std::unique_lock<std::mutex> lock(mutex_);
    ++hanging_;
    const uint64_t seen = releases_;
    wait_forever(released_, lock, [&] { return releases_ != seen; });
}

uint32_t Hangs::release() {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++releases_;
    released_.notify_all();
    const uint32_t released = hanging_;
    hanging_ = 0;
    return released;
}

}  // namespace ez_rknn::simulator
