/* SPDX-License-Identifier: Apache-2.0 */
/* One core: the tasks that wait for it and the contexts that can run them. */
#pragma once

#include <cstdint>
#include <vector>

#include "engine/monotonic.h"
#include "engine/moving_average.h"
#include "engine/task.h"

namespace ez_rknn::engine {

/* Everything here is guarded by the engine's lock, and `work` is notified under it. */
class Group {
  public:
    Group(uint32_t index, uint32_t queue_capacity) : index_(index), queue_capacity_(queue_capacity) {}

    uint32_t index() const { return index_; }

    /* Adds a context, by its index into ezr_config.workers. */
    void add_worker(uint32_t worker);
    uint32_t worker_count() const { return worker_count_; }

    bool has_room() const { return queue_.size() < queue_capacity_; }
    size_t queued() const { return queue_.size(); }
    uint32_t queue_capacity() const { return queue_capacity_; }
    bool is_empty() const { return queue_.empty(); }
    /* True if a queued task can be taken up now. */
    bool can_start() const { return !queue_.empty() && !idle_.empty(); }
    /* True if there is an idle context that no queued task waits for, so that a new task need not queue. */
    bool has_spare_context() const { return queue_.size() < idle_.size(); }

    /* Puts the task at the front of `from` into the queue. With `wake`, wakes one worker if it can start. */
    void enqueue(TaskList &from, bool wake = true);
    TaskList &queue() { return queue_; }

    /* Takes an idle context. Its user gives it back when its task has ended, or loses it. */
    uint32_t take_context();
    void give_back_context(uint32_t worker);
    void lose_context();
    /* Says that the replacement of a lost context came, or never will. */
    void settle_replacement() { --awaited_replacements_; }

    /* True if no context is left or awaited. */
    bool is_retired() const { return worker_count_ == 0 && awaited_replacements_ == 0; }

    void count(const ezr_result &result);
    void reset_stats() { stats_ = ezr_group_stats{}; }
    ezr_group_stats stats() const;
    /* The recent duration of this group's tasks, from start to end. */
    const MovingAverage &recent_ns() const { return recent_ns_; }

    /* Worker threads sleep here until can_start(), or until there will never be anything to start. */
    MonotonicCondition work;

  private:
    const uint32_t index_;
    const uint32_t queue_capacity_;
    uint32_t worker_count_ = 0;
    uint32_t awaited_replacements_ = 0;
    TaskList queue_;
    std::vector<uint32_t> idle_; /* the one used last is used next: its buffers are warm */
    ezr_group_stats stats_{};
    MovingAverage recent_ns_;
};

}  // namespace ez_rknn::engine
