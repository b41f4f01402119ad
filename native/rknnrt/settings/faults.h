/* SPDX-License-Identifier: Apache-2.0 */
/* The faults set in a process, and the calls that hang because of one. */
#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/mutex.h"
#include "rknnrt/settings/fault.h"

namespace ez_rknn::rknnrt {

using Faults = std::vector<std::shared_ptr<Fault>>;

/* Faults by their texts and the names of their counters. One that is set again while it is still set somewhere (in the
 * environment, for a thread, or for a context that exists) is the same fault and keeps counting. */
class FaultRegistry {
  public:
    std::shared_ptr<Fault> find_or_make(const std::string &text, const std::string &counter);
    /* Faults in the environment are set as long as the process lives. */
    void keep(const Faults &faults);

  private:
    Mutex mutex_;
    std::map<std::pair<std::string, std::string>, std::weak_ptr<Fault>> faults_
        EZ_RKNN_GUARDED_BY(mutex_); /* by counter and text */
    std::set<std::shared_ptr<Fault>> kept_ EZ_RKNN_GUARDED_BY(mutex_);
};

/* The calls that hang because of a fault. */
class Hangs {
  public:
    /* Hangs until the call is released. */
    void hang();
    /* Releases the calls that hang now; returns their number. */
    uint32_t release();

  private:
    Mutex mutex_; /* held when `released_` is notified */
    std::condition_variable released_;
    uint32_t hanging_ EZ_RKNN_GUARDED_BY(mutex_) = 0;
    uint64_t releases_ EZ_RKNN_GUARDED_BY(mutex_) = 0;
};

}  // namespace ez_rknn::rknnrt
