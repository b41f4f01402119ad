/* SPDX-License-Identifier: Apache-2.0 */
/* The progress of a task, shared by its thread and the watchdog without a lock. */
#pragma once

#include <atomic>
#include <cstdint>

#include "ez_rknn_engine.h"

namespace ez_rknn::engine {

/* Either the thread takes a step before the watchdog sets its task aside, and the watchdog sees the step; or the
 * watchdog comes first, and the thread does not take it. */
class Progress {
  public:
    /* The step that a thread is about to take. */
    struct Step {
        int32_t call;  /* EZR_CALL_*: the one being entered, or the last one that returned */
        int32_t stage; /* EZR_STAGE_*: the times of those before it are written */
    };

    /* Called by the thread. False if the task was set aside: then do nothing more for it. */
    bool enter(const Step &step) {
        int32_t current = step_.load(std::memory_order_relaxed);
        const int32_t next = step.call | step.stage * one_stage;
        do {
            if (current & set_aside_flag) return false;
        } while (!step_.compare_exchange_weak(current, next, std::memory_order_release, std::memory_order_relaxed));
        return true;
    }

    /* Called by the watchdog. Returns the thread's last step, and acquires what the thread wrote before it. */
    Step set_aside() {
        const int32_t step = step_.fetch_or(set_aside_flag, std::memory_order_acquire);
        return {step % one_stage, step / one_stage};
    }
    bool is_set_aside() const { return (step_.load(std::memory_order_relaxed) & set_aside_flag) != 0; }

  private:
    static constexpr int32_t one_stage = 1 << 8;
    static constexpr int32_t set_aside_flag = 1 << 30;
    std::atomic<int32_t> step_{EZR_CALL_NONE | EZR_STAGE_INPUT * one_stage};
};

}  // namespace ez_rknn::engine
