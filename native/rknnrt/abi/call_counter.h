/* SPDX-License-Identifier: Apache-2.0 */
/* Counters of the program's calls of each function of the interface, for tests that something happens once, or
 * never. */
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

namespace ez_rknn::rknnrt {

/* The calls of one function. Static objects, linked in a list that only grows. */
class CallCounter {
  public:
    explicit CallCounter(const char *function) noexcept;
    CallCounter(const CallCounter &) = delete;
    CallCounter &operator=(const CallCounter &) = delete;

    void count() noexcept { calls_.fetch_add(1, std::memory_order_relaxed); }

    /* Since the library was loaded. */
    static uint64_t calls_of(const std::string &function) noexcept;

  private:
    const char *const function_;
    std::atomic<uint64_t> calls_{0};
    const CallCounter *next_ = nullptr;
};

}  // namespace ez_rknn::rknnrt
