/* SPDX-License-Identifier: Apache-2.0 */
#include "rknnrt/settings/faults.h"

#include <iterator>

#include "rknnrt/base/wait.h"

namespace ez_rknn::rknnrt {

std::shared_ptr<Fault> FaultRegistry::find_or_make(const std::string &text, const std::string &counter) {
    const Lock lock(mutex_);
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
    const Lock lock(mutex_);
    kept_.insert(faults.begin(), faults.end());
}

void Hangs::hang() {
    const Lock lock(mutex_);
    ++hanging_;
    const uint64_t seen = releases_;
    wait_forever(released_, mutex_, [&] {
        mutex_.assert_held();
        return releases_ != seen;
    });
}

uint32_t Hangs::release() {
    const Lock lock(mutex_);
    ++releases_;
    released_.notify_all();
    const uint32_t released = hanging_;
    hanging_ = 0;
    return released;
}

}  // namespace ez_rknn::rknnrt
