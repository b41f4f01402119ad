/* SPDX-License-Identifier: Apache-2.0 */
#include "rknnrt/base/wait.h"

#include <sys/prctl.h>
#include <time.h>

#include <cerrno>

namespace ez_rknn::rknnrt {

namespace {

constexpr int64_t second = 1000000000;

/* The calling thread's timer slack, set to one nanosecond while this lives. */
class PreciseTimers {
  public:
    PreciseTimers() : before_(prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0)) { prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0); }
    ~PreciseTimers() {
        if (before_ > 0) prctl(PR_SET_TIMERSLACK, static_cast<unsigned long>(before_), 0, 0, 0);
    }
    PreciseTimers(const PreciseTimers &) = delete;
    PreciseTimers &operator=(const PreciseTimers &) = delete;

  private:
    int before_;
};

}  // namespace

int64_t now_ns() {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<int64_t>(time.tv_sec) * second + time.tv_nsec;
}

void wait_until_ns(int64_t deadline_ns) {
    if (deadline_ns <= now_ns()) return;
    const PreciseTimers precise;
    timespec deadline{};
    deadline.tv_sec = static_cast<time_t>(deadline_ns / second);
    deadline.tv_nsec = static_cast<long>(deadline_ns % second);
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &deadline, nullptr) == EINTR) {
    }
}

}  // namespace ez_rknn::rknnrt
