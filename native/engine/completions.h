/* SPDX-License-Identifier: Apache-2.0 */
/* Finished tasks waiting to be collected, in the order of submission or as they finish, and the engine's other
 * notices. */
#pragma once

#include <cstdint>

#include "engine/monotonic.h"
#include "engine/task.h"

namespace ez_rknn::engine {

/* Everything here is guarded by the engine's lock, and `ready` is notified under it.
 *
 * The capacity cannot cause a deadlock: it only holds back tasks that are not yet accepted. When ordered completions
 * wait for an earlier task, that one was accepted before them, is in a queue or on a context, and needs neither room
 * here nor a submission to end; so the gap closes, and the collector finds a completion. */
class Completions {
  public:
    Completions(bool ordered, uint32_t capacity) : ordered_(ordered), capacity_(capacity) {}

    /* True if fewer tasks than the capacity are finished and uncollected, those waiting for an earlier one included. */
    bool has_room() const { return in_order_.size() + as_finished_.size() < capacity_; }

    /* Announces an accepted task; its completion is given out after the ordered ones announced before it. */
    void expect(Task &task);
    /* Withdraws the last announcement: the task was not accepted after all. */
    void disown(const Task &task);
    /* Takes over the finished task at the front of `task`. Wakes one collector if there is something to collect; with
     * `more_follow` only if one sleeps without a deadline, or enough of them are there. */
    void finish(TaskList &task, bool more_follow = false);

    /* Takes over a notice (a task whose status is not EZR_OK), given out before all completions. */
    void tell(TaskList &notice);
    /* The same for EZR_ROOM. */
    void tell_room();
    /* Announces a notice, or says that an announced one came or never will. */
    void expect_notice() { ++owed_; }
    void settle_notice() { --owed_; }

    bool has_next() const;
    /* Moves the next completion or notice to the end of `to`. Returns its status; with EZR_ROOM nothing is moved. A
     * collector that leaves something for others notifies them: one task can release several that waited for it, but
     * notifies only one collector. */
    int32_t collect(TaskList &to);
    /* True if everything announced was given out. */
    bool is_drained() const { return owed_ == 0 && !has_next(); }

    /* Collectors that sleep for `nap_ns` at most. While one does, finished tasks may wait for others to finish. */
    uint32_t napping = 0;
    static constexpr int64_t nap_ns = 2'000'000;

    /* Collectors sleep here until has_next(), or until there will never be a next one. */
    MonotonicCondition ready;

  private:
    bool is_in_order(const Task &task) const { return ordered_ && !task.is_unordered; }
    bool has_next_in_order() const { return !in_order_.empty() && in_order_.front().sequence == collected_in_order_; }
    TaskList &next_list();

    const bool ordered_;
    const size_t capacity_;
    uint64_t owed_ = 0; /* announced, not yet given out */
    uint64_t expected_in_order_ = 0;
    uint64_t collected_in_order_ = 0;
    TaskList in_order_; /* sorted by sequence */
    TaskList as_finished_;
    TaskList notices_;
    bool has_room_to_tell_ = false;
};

}  // namespace ez_rknn::engine
