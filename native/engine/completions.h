/* Finished tasks on their way to whoever collects them, in the order of submission or as they finish; and what else
 * there is to tell. */
#pragma once

#include <cstdint>

#include "engine/monotonic.h"
#include "engine/task.h"

namespace ez_rknn::engine {

/* Everything here is guarded by the engine's lock, and `ready` is notified under it.
 *
 * No deadlock is possible through the capacity: it only holds back tasks that are not yet accepted. When completions in
 * order wait for an earlier task, that one was accepted before them, is in a queue or on a context, and needs neither
 * room here nor a submission to end; so the gap closes, and the collector finds a completion. */
class Completions {
  public:
    Completions(bool ordered, uint32_t capacity) : ordered_(ordered), capacity_(capacity) {}

    /* Whether fewer tasks than the capacity are finished and uncollected, those that wait for an earlier one included.
     */
    bool has_room() const { return in_order_.size() + as_finished_.size() < capacity_; }

    /* Announces an accepted task, whose completion will be given out after those in order announced before it. */
    void expect(Task &task);
    /* Takes the last announcement back: the task was not accepted after all. */
    void disown(const Task &task);
    /* Takes the finished task at the front of `task` over, and wakes one collector if there is something for it. */
    void finish(TaskList &task);

    /* Takes a task over whose status is not EZR_OK, and tells it before all completions. */
    void tell(TaskList &notice);
    /* The same for EZR_ROOM. */
    void tell_room();
    /* Announces that a notice will come, or that one announced came or will not. */
    void expect_notice() { ++owed_; }
    void settle_notice() { --owed_; }

    bool has_next() const;
    /* Moves what is next to the end of `to`. Returns its status; with EZR_ROOM nothing is moved. Who leaves something
     * for others notifies them: a task that others waited for frees several at once, but notified one collector. */
    int32_t collect(TaskList &to);
    /* Whether everything announced was given out. */
    bool is_drained() const { return owed_ == 0 && !has_next(); }

    /* Collectors sleep here until has_next(), or until there will never be a next one. */
    MonotonicCondition ready;

  private:
    bool is_in_order(const Task &task) const { return ordered_ && !task.is_unordered; }
    bool has_next_in_order() const { return !in_order_.empty() && in_order_.front().sequence == collected_in_order_; }
    TaskList &next_list();

    const bool ordered_;
    const size_t capacity_;
    uint64_t owed_ = 0; /* announced and not given out */
    uint64_t expected_in_order_ = 0;
    uint64_t collected_in_order_ = 0;
    TaskList in_order_; /* sorted by sequence */
    TaskList as_finished_;
    TaskList notices_;
    bool has_room_to_tell_ = false;
};

}  // namespace ez_rknn::engine
