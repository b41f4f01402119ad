/* Finished tasks on their way to whoever collects them, in the order of submission or as they finish. */
#ifndef EZ_RKNN_COMPLETIONS_H
#define EZ_RKNN_COMPLETIONS_H

#include <cstdint>

#include "monotonic.h"
#include "task.h"

namespace ezr {

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
    bool has_room() const { return finished_.size() < capacity_; }

    /* Announces an accepted task, whose completion will be given out after those announced before it. */
    void expect(Task &task) { task.sequence = expected_++; }
    /* Takes the finished task at the front of `task` over, and wakes one collector if there is something for it. */
    void finish(TaskList &task);

    bool has_next() const;
    /* Moves the next completion to the end of `to`, and wakes another collector if there is one more. */
    void collect(TaskList &to);
    /* Whether everything announced was given out. */
    bool is_drained() const { return collected_ == expected_; }

    /* Collectors sleep here until has_next(), or until there will never be a next one. */
    MonotonicCondition ready;

  private:
    const bool ordered_;
    const size_t capacity_;
    uint64_t expected_ = 0;
    uint64_t collected_ = 0;
    TaskList finished_; /* sorted by sequence where the order matters */
};

}  // namespace ezr

#endif
