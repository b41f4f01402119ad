/* One core: the tasks that wait for it and the contexts that can run them. */
#ifndef EZ_RKNN_GROUP_H
#define EZ_RKNN_GROUP_H

#include <cstdint>
#include <vector>

#include "monotonic.h"
#include "task.h"

namespace ezr {

/* Everything here is guarded by the engine's lock, and `work` is notified under it. */
class Group {
  public:
    explicit Group(uint32_t queue_capacity) : queue_capacity_(queue_capacity) {}

    /* Adds a context, by its index into ezr_config.workers. Only while the engine is being built. */
    void add_worker(uint32_t worker);
    uint32_t worker_count() const { return worker_count_; }

    bool has_room() const { return queue_.size() < queue_capacity_; }
    bool is_empty() const { return queue_.empty(); }
    /* Whether a queued task can be taken up now. */
    bool can_start() const { return !queue_.empty() && !idle_.empty(); }
    /* Whether a task that comes now need not queue. */
    bool can_start_at_once() const { return queue_.empty() && !idle_.empty(); }

    /* Puts the one task of `task` into the queue and wakes one worker if it can start. Returns its place. */
    TaskList::iterator enqueue(TaskList &task);
    /* Moves the first task, all of them, or the one at `place`, to the end of `to`. */
    void dequeue(TaskList &to) { to.splice(to.end(), queue_, queue_.begin()); }
    void dequeue_all(TaskList &to) { to.splice(to.end(), queue_); }
    void withdraw(TaskList::iterator place, TaskList &to) { to.splice(to.end(), queue_, place); }

    /* Takes an idle context. Its user gives it back when the task that it ran has ended. */
    uint32_t take_context();
    void give_back_context(uint32_t worker);

    void count(const ezr_result &result);
    ezr_group_stats stats() const;

    /* Worker threads sleep here until can_start(), or until there will never be anything to start. */
    MonotonicCondition work;

  private:
    const uint32_t queue_capacity_;
    uint32_t worker_count_ = 0;
    TaskList queue_;
    std::vector<uint32_t> idle_; /* the one used last is used next: its buffers are warm */
    ezr_group_stats stats_{};
};

}  // namespace ezr

#endif
