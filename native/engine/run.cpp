/* SPDX-License-Identifier: Apache-2.0 */
/* ezr_run: on the calling thread, or waiting for a worker, with or without interruptions. */
#include <algorithm>

#include "engine/engine.h"

namespace ez_rknn::engine {

/* The group on which the calling thread may run the next task itself, or NULL. */
Group *Engine::group_for_caller(bool is_interruptible) {
    if (has_watchdog()) return nullptr;  // a call that hangs would keep it from returning
    Group *group = dispatch_.group_at_once();
    if (group == nullptr || !is_interruptible) return group;
    const MovingAverage &recent = group->recent_ns();
    return recent.is_known() && recent.value() < EZR_INLINE_LIMIT_NS ? group : nullptr;
}

int32_t Engine::run(const ezr_task *task, const Deadline &deadline, bool is_interruptible, ezr_result *result) {
    if (!ez_rknn::engine::is_valid(task, runtime_) || task->lane >= lane_count_) return EZR_INVALID;
    TaskList own;
    CallerList caller;
    own.emplace_back(*task);

    const Lock lock(mutex_);
    if (!closed_ && admission_.is_empty() && is_pace_due()) {
        Group *group = group_for_caller(is_interruptible);
        if (group != nullptr) return run_here(own, *group, result);
    }
    caller.emplace_back(own, Turn{deadline, is_interruptible});
    return attend(caller, result);
}

int32_t Engine::run_here(TaskList &task, Group &group, ezr_result *result) {
    Task &front = task.front();
    dispatch_.accept(front, group);
    pace_.admitted(front.result.submitted_ns);
    admit_next();
    run_on_context(task, group, front.result.submitted_ns);
    dispatch_.distribute();
    // The group's threads lacked this context, and none of them is about to look at the queue.
    if (group.can_start()) group.work.notify_one();
    *result = front.result;
    return EZR_OK;
}

/* Continues the wait where the caller stands: in line, or in a queue. */
int32_t Engine::attend(CallerList &caller, ezr_result *result) {
    Caller &self = caller.front();
    if (!self.is_queued) {
        const int32_t status = wait_for_queue(self.turn);
        if (status == EZR_INTERRUPTED) return park(caller, next_id_in_line_--, result);
        if (status != EZR_OK) return status;
        Group *group = group_for_caller(self.turn.is_interruptible);
        if (group != nullptr) return run_here(self.task, *group, result);

        Task &task = self.task.front();
        task.caller = &self;
        dispatch_.enqueue(self.task);
        self.is_queued = true;
        self.id = task.result.id;
        pace_.admitted(task.result.submitted_ns);
        admit_next();
    }
    return wait_until_ended(caller, result);
}

int32_t Engine::wait_until_ended(CallerList &caller, ezr_result *result) {
    Caller &self = caller.front();
    Wake wake = Wake::set;
    while (!self.has_ended()) {
        const bool is_taken_up = self.taken_up != nullptr;
        if (wake == Wake::interrupted && self.turn.is_interruptible) return park(caller, self.id, result);
        if (wake == Wake::timeout && !is_taken_up) {
            forget_queued(self.id);
            return EZR_TIMEOUT;
        }
        wake = self.changed.wait_until(mutex_, is_taken_up ? Deadline::never() : self.turn.deadline);
    }
    *result = self.task.front().result;
    return EZR_OK;
}

int32_t Engine::park(CallerList &caller, int64_t id, ezr_result *result) {
    caller.front().id = result->id = id;
    away_.splice(away_.end(), caller);
    return EZR_INTERRUPTED;
}

CallerList Engine::taken_from_away(int64_t id) {
    CallerList caller;
    const auto found = std::find_if(away_.begin(), away_.end(), [id](const Caller &one) { return one.id == id; });
    if (found != away_.end()) caller.splice(caller.end(), away_, found);
    return caller;
}

int32_t Engine::resume(int64_t id, ezr_result *result) {
    CallerList caller;
    const Lock lock(mutex_);
    caller = taken_from_away(id);
    return caller.empty() ? EZR_INVALID : attend(caller, result);
}

/* Withdraws a queued task that no one waits for any more. */
void Engine::forget_queued(int64_t id) {
    TaskList withdrawn;
    dispatch_.withdraw(id, withdrawn);
    ezr_result &result = withdrawn.front().result;
    result.code = EZR_CANCELLED;
    result.started_ns = result.finished_ns = 0;
    dispatch_.count(result);
    after_leaving_queue();
}

int32_t Engine::leave(int64_t id) {
    CallerList caller;
    const Lock lock(mutex_);
    caller = taken_from_away(id);
    if (caller.empty()) return EZR_INVALID;
    Caller &self = caller.front();
    if (!self.is_queued) return EZR_OK;
    if (self.has_ended()) {
        const auto is_same = [id](const Task &stuck) { return stuck.result.id == id; };
        return std::any_of(stuck_.begin(), stuck_.end(), is_same) ? EZR_BUSY : EZR_OK;
    }
    if (self.taken_up == nullptr) {
        forget_queued(id);
        return EZR_OK;
    }
    self.taken_up->caller = nullptr;
    self.taken_up->status = EZR_RELEASED;
    completions_.expect_notice();
    return EZR_BUSY;
}

}  // namespace ez_rknn::engine
