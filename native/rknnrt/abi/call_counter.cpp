/* SPDX-License-Identifier: Apache-2.0 */
#include "rknnrt/abi/call_counter.h"

namespace ez_rknn::rknnrt {

namespace {
std::atomic<const CallCounter *> newest{nullptr};
}

CallCounter::CallCounter(const char *function) noexcept : function_(function) {
    next_ = newest.load();
    while (!newest.compare_exchange_weak(next_, this)) {
    }
}

uint64_t CallCounter::calls_of(const std::string &function) noexcept {
    uint64_t calls = 0;
    for (const CallCounter *counter = newest; counter != nullptr; counter = counter->next_) {
        if (function == counter->function_) calls += counter->calls_.load(std::memory_order_relaxed);
    }
    return calls;
}

}  // namespace ez_rknn::rknnrt
