/* In which call of the runtime a task stands: what its thread and the watchdog tell each other without a lock. */
#ifndef EZ_RKNN_PROGRESS_H
#define EZ_RKNN_PROGRESS_H

#include <atomic>
#include <cstdint>

#include "ez_rknn_engine.h"

namespace ezr {

/* Either the thread enters a call before the watchdog sets its task aside, and then the watchdog knows of that call; or
 * the watchdog comes first, and then the thread does not enter it. */
class Progress {
  public:
    /* By the thread: false when the task was set aside, and nothing more must be done for it. */
    bool enter(int32_t call) {
        int32_t current = call_.load(std::memory_order_relaxed);
        do {
            if (current & kSetAside) return false;
        } while (!call_.compare_exchange_weak(current, call, std::memory_order_release, std::memory_order_relaxed));
        return true;
    }

    /* By the watchdog: returns the call that the thread is in, and sees what the thread wrote before it entered it. */
    int32_t set_aside() { return call_.fetch_or(kSetAside, std::memory_order_acquire); }
    bool is_set_aside() const { return (call_.load(std::memory_order_relaxed) & kSetAside) != 0; }

  private:
    static constexpr int32_t kSetAside = 1 << 30;
    std::atomic<int32_t> call_{EZR_CALL_NONE};
};

}  // namespace ezr

#endif
