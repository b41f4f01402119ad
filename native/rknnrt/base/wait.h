/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting until a point in time, to within microseconds. */
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

#include "common/mutex.h"

namespace ez_rknn::rknnrt {

/* Nanoseconds of CLOCK_MONOTONIC. */
int64_t now_ns();

/* Returns at `deadline_ns`, or at once if it has passed. By its timer slack the kernel may be up to 50 microseconds
 * late; the calling thread's slack is set to the minimum for the wait, and restored. */
void wait_until_ns(int64_t deadline_ns);

/* Waits until ready(), which must not throw, without a time limit. std::condition_variable::wait() would do, but GCC 12
 * makes that a call into its own C++ library (GLIBCXX_3.4.30), and a library with that call does not load with an older
 * one; a wait with a deadline, even at the end of time, makes no such call. */
template <typename Ready>
void wait_forever(std::condition_variable &condition, Mutex &mutex, Ready ready) EZ_RKNN_REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex.native(), std::adopt_lock);
    condition.wait_until(lock, std::chrono::steady_clock::time_point::max(), ready);
    lock.release();  // the caller holds it, as before
}

}  // namespace ez_rknn::rknnrt
