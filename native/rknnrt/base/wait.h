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

/* Returns at `deadline_ns`, or at once when it has passed. The kernel may otherwise be up to 50 microseconds late, by
 * its timer slack; the calling thread's is set to the least for the wait, and back. */
void wait_until_ns(int64_t deadline_ns);

/* Waits until ready(), which must not throw, for as long as it takes; std::condition_variable::wait() would do, but GCC
 * 12 makes that a call of its own C++ library (GLIBCXX_3.4.30), and what has it does not load beside an older one; with
 * a deadline, if only at the end of time, there is no such call. */
template <typename Ready>
void wait_forever(std::condition_variable &condition, Mutex &mutex, Ready ready) EZ_RKNN_REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex.native(), std::adopt_lock);
    condition.wait_until(lock, std::chrono::steady_clock::time_point::max(), ready);
    lock.release();  // the caller has it, as before
}

}  // namespace ez_rknn::rknnrt
