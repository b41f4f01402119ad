/* SPDX-License-Identifier: Apache-2.0 */
/* The queues of the groups, and the two rules that pick the group of a task. */
#pragma once

#include <cstdint>
#include <deque>
#include <unordered_map>
#include <vector>

#include "engine/group.h"
#include "engine/task.h"

namespace ez_rknn::engine {

/* Everything here is guarded by the engine's lock.
 *
 * With EZR_DISPATCH_LEAST_LOADED a group's own queue holds only tasks promised to an idle context whose thread is about
 * to wake up; all others wait in the common queue. The invariant: nothing waits in the common queue while there is an
 * idle context without a task promised to it. Every function that could break it ends with distribute(). */
class Dispatch {
  public:
    explicit Dispatch(const ezr_config &config);

    std::deque<Group> &groups() { return groups_; }
    Group &group(uint32_t index) { return groups_[index]; }
    uint32_t worker_count() const;

    /* True if the queue has a place for the next task. */
    bool has_room() const;
    /* True if it has, and waking a submitter is worth it: a context is idle, tasks take `brief_ns` or longer, or what
     * is queued fills less than half of the queue or keeps a context busy for less than that. */
    bool wants_more(int64_t brief_ns) const;
    /* True if every group has a task queued behind those that run, and its recent tasks took less than `brief_ns`. */
    bool is_backlogged(int64_t brief_ns) const;
    /* The group with an idle context that can run the next task at once, overtaking none; or NULL. */
    Group *group_at_once();
    /* Numbers a task that will run on `group` at once. */
    void accept(Task &task, const Group &group);
    /* Numbers and queues the task of `task`. Throws std::bad_alloc, with no effect. */
    void enqueue(TaskList &task);

    /* Moves the first task of the group's queue to the end of `to`. */
    void take_up(Group &group, TaskList &to);
    /* The queued task with this id, or NULL. */
    Task *find(int64_t id);
    /* Moves it to the end of `to`. */
    void withdraw(int64_t id, TaskList &to);
    /* Moves all queued tasks, or those that wait for contexts that will never come, to the end of `to`. */
    void withdraw_all(TaskList &to);
    void withdraw_hopeless(bool is_closed, TaskList &to);

    /* Gives tasks of the common queue to idle contexts. A thread of the group `awake` checks the queues itself. */
    void distribute(const Group *awake = nullptr);

    /* True if no queued task is left for the threads of this group. */
    bool has_nothing_for(const Group &group) const { return group.is_empty() && common_.empty(); }
    /* True if no group is left that could run a task. */
    bool is_retired() const;

    /* Counts an ended task in its group's statistics. */
    void count(const ezr_result &result);
    ezr_group_stats stats(uint32_t group) const;

  private:
    struct Place {
        TaskList *queue;
        TaskList::iterator task;
    };

    bool is_least_loaded() const { return common_capacity_ > 0; }
    uint32_t next_route() const;
    Group *group_with_spare_context();
    void number(Task &task);
    void take(TaskList &queue, TaskList &to);

    const std::vector<uint32_t> routes_;
    std::vector<uint32_t> order_; /* the groups that the routes name, in order of first mention */
    std::deque<Group> groups_;
    TaskList common_;
    const uint64_t common_capacity_; /* 0: not used */
    std::unordered_map<int64_t, Place> places_;
    int64_t next_id_ = 0;
};

}  // namespace ez_rknn::engine
