/* SPDX-License-Identifier: Apache-2.0 */
/* Time and waiting by CLOCK_MONOTONIC.
 *
 * std::condition_variable is not used: with a steady clock it calls pthread_cond_clockwait, which the thread sanitizer
 * of current compilers does not know, and with any other clock a change of wall time would move the deadline. */
#pragma once

#include <pthread.h>
#include <time.h>

#include <cstdint>

#include "common/mutex.h"

namespace ez_rknn::engine {

/* Nanoseconds of CLOCK_MONOTONIC. */
inline int64_t now_ns() {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

/* The moment at which a wait gives up. */
class Deadline {
  public:
    /* -1: never; 0: at once. */
    static Deadline in_ms(int32_t timeout_ms) {
        return timeout_ms < 0 ? never() : at(now_ns() + int64_t{timeout_ms} * 1'000'000);
    }
    static Deadline at(int64_t at_ns) { return Deadline(at_ns); }
    static Deadline never() { return Deadline(never_ns); }

    bool is_never() const { return at_ns_ == never_ns; }
    bool has_passed() const { return !is_never() && at_ns_ <= now_ns(); }
    timespec as_timespec() const {
        timespec at;
        at.tv_sec = static_cast<time_t>(at_ns_ / 1'000'000'000);
        at.tv_nsec = static_cast<long>(at_ns_ % 1'000'000'000);
        return at;
    }
    friend bool operator<(const Deadline &left, const Deadline &right) { return left.at_ns_ < right.at_ns_; }

  private:
    static constexpr int64_t never_ns = INT64_MAX;
    explicit Deadline(int64_t at_ns) : at_ns_(at_ns) {}
    int64_t at_ns_;
};

/* A condition variable whose deadlines are monotonic. It may wake spuriously: wait in a loop. */
class MonotonicCondition {
  public:
    MonotonicCondition() {
        pthread_condattr_t attributes;
        pthread_condattr_init(&attributes);
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        pthread_cond_init(&condition_, &attributes);
        pthread_condattr_destroy(&attributes);
    }
    ~MonotonicCondition() { pthread_cond_destroy(&condition_); }
    MonotonicCondition(const MonotonicCondition &) = delete;
    MonotonicCondition &operator=(const MonotonicCondition &) = delete;

    /* Releases the mutex, sleeps until it is notified, and takes the mutex again. */
    void wait(Mutex &mutex) EZ_RKNN_REQUIRES(mutex) { pthread_cond_wait(&condition_, mutex.native().native_handle()); }

    /* Returns false when the deadline has passed; the awaited change may have happened all the same. */
    bool wait_until(Mutex &mutex, const Deadline &deadline) EZ_RKNN_REQUIRES(mutex) {
        if (deadline.is_never()) {
            wait(mutex);
            return true;
        }
        const timespec at = deadline.as_timespec();
        return pthread_cond_timedwait(&condition_, mutex.native().native_handle(), &at) == 0;
    }

    void notify_one() { pthread_cond_signal(&condition_); }
    void notify_all() { pthread_cond_broadcast(&condition_); }

  private:
    pthread_cond_t condition_;
};

}  // namespace ez_rknn::engine
