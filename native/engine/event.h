/* SPDX-License-Identifier: Apache-2.0 */
/* An event that one thread sleeps on and that a signal can interrupt. */
#pragma once

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>

#include "common/mutex.h"
#include "engine/monotonic.h"

namespace ez_rknn::engine {

/* The reason why a wait ended. The awaited change may have happened all the same: check for it first. */
enum class Wake { set, timeout, interrupted };

/* An event with one waiter, used like a condition variable under one mutex.
 *
 * A condition variable would not do: it keeps sleeping when a signal arrives. A POSIX semaphore wakes, but its wait
 * with a monotonic deadline, sem_clockwait, is too new for the systems that we run on. Both are built on this system
 * call. */
class Event {
  public:
    Event() = default;
    Event(const Event &) = delete;
    Event &operator=(const Event &) = delete;

    /* Wakes the waiter, or lets its next wait return at once. The caller holds the mutex, so the waiter cannot leave
     * and take the event with it before this is done. */
    void set() {
        if (state_.exchange(state_set) == state_asleep) futex(FUTEX_WAKE_PRIVATE, 1, nullptr);
    }

    /* Releases the mutex, sleeps until set(), the deadline or a signal, and takes the mutex again. A signal counts only
     * if it has a handler, which was installed without SA_RESTART when there is no deadline. */
    Wake wait_until(Mutex &mutex, const Deadline &deadline) EZ_RKNN_REQUIRES(mutex) {
        int nothing = state_nothing;
        if (!state_.compare_exchange_strong(nothing, state_asleep)) {
            state_ = state_nothing;
            return Wake::set;
        }
        mutex.unlock();
        const int error = sleep(deadline);
        mutex.lock();
        state_ = state_nothing;
        return error == ETIMEDOUT ? Wake::timeout : error == EINTR ? Wake::interrupted : Wake::set;
    }

  private:
    static constexpr int state_nothing = 0, state_set = 1, state_asleep = 2;

    int sleep(const Deadline &deadline) {
        const timespec at = deadline.as_timespec();
        // Unlike FUTEX_WAIT, this takes a moment of CLOCK_MONOTONIC and not a duration.
        const bool woken = futex(FUTEX_WAIT_BITSET_PRIVATE, state_asleep, deadline.is_never() ? nullptr : &at) == 0;
        return woken ? 0 : errno;
    }

    long futex(int operation, int value, const timespec *timeout) {
        static_assert(sizeof state_ == sizeof(int), "the kernel looks at a plain word");
        return syscall(SYS_futex, &state_, operation, value, timeout, nullptr, FUTEX_BITSET_MATCH_ANY);
    }

    std::atomic<int> state_{state_nothing};
};

}  // namespace ez_rknn::engine
