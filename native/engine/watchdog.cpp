/* SPDX-License-Identifier: Apache-2.0 */
/* The watchdog: sets aside tasks whose call into the runtime does not return. */
#include <pthread.h>

#include <utility>

#include "engine/engine.h"

namespace ez_rknn::engine {

void Engine::watch_over() {
    pthread_setname_np(pthread_self(), "ezr-watchdog");
    const Lock lock(mutex_);
    while (!is_stopping_) {
        if (running_.empty()) {
            started_.wait(mutex_);
            continue;
        }
        // The timeout is the same for all, so the first task started is the first to be late. Ending in time does not
        // wake this thread; at worst it wakes in vain once a timeout.
        const Deadline deadline = Deadline::at(running_.front().result.started_ns + run_timeout_ns_);
        if (deadline.has_passed()) {
            set_aside_first();
        } else {
            started_.wait_until(mutex_, deadline);
        }
    }
}

void Engine::watch(TaskList &task) {
    task.front().is_watched = true;
    // While something is running the watchdog sleeps to a deadline, which cannot be later than this one's.
    if (running_.empty()) started_.notify_one();
    running_.splice(running_.end(), task, task.begin());
}

/* Moves the task at `place` back into `task`. False if the watchdog has set it aside: then the host is told that its
 * buffers and its context are free. */
bool Engine::unwatch(TaskList::iterator place, TaskList &task) {
    if (!place->progress.is_set_aside()) {
        task.splice(task.end(), running_, place);
        return true;
    }
    TaskList notice;
    notice.splice(notice.end(), stuck_, place);
    notice.front().status = EZR_RELEASED;
    completions_.tell(notice);
    return false;
}

void Engine::set_aside_first() {
    Task &task = running_.front();
    stuck_.splice(stuck_.end(), running_, running_.begin());
    const Progress::Step last = task.progress.set_aside();
    Worker &worker = workers_[task.result.worker];
    TaskList completion, notice;
    completion.splice(completion.end(), worker.spare, worker.spare.begin());
    notice.splice(notice.end(), worker.spare, worker.spare.begin());

    // Copies only what the task's thread no longer writes: it writes a time when its call returns.
    Task &ended = completion.front();
    ended.result.id = task.result.id;
    ended.result.tag = task.result.tag;
    ended.result.group = task.result.group;
    ended.result.worker = task.result.worker;
    ended.result.lane = task.result.lane;
    ended.result.submitted_ns = task.result.submitted_ns;
    ended.result.started_ns = task.result.started_ns;
    notice.front().result = ended.result;
    notice.front().status = EZR_STALLED;
    ended.result.code = RKNN_ERR_TIMEOUT;
    ended.result.call = last.call;
    ended.result.finished_ns = now_ns();
    ended.result.input_ns = last.stage > EZR_STAGE_INPUT ? task.result.input_ns : ended.result.finished_ns;
    ended.result.npu_ns = last.stage > EZR_STAGE_NPU ? task.result.npu_ns : ended.result.finished_ns;
    ended.sequence = task.sequence;
    ended.is_unordered = task.is_unordered;
    ended.caller = std::exchange(task.caller, nullptr);

    worker.awaits_replacement = true;
    worker.stuck_lane = task.result.lane;
    dispatch_.group(worker.group).lose_context();
    --working_threads_;
    thread_ended_.notify_all();
    completions_.tell(notice);
    count(ended.result);
    if (task.status == EZR_RELEASED) {
        completions_.settle_notice();  // its caller left; the notice comes when the thread comes back, if ever
    } else {
        deliver(completion);
    }
    end_unservable();
}

/* Ends the tasks that wait for contexts that will never come. */
void Engine::end_unservable() {
    TaskList hopeless;
    dispatch_.withdraw_hopeless(closed_, hopeless);
    end_unstarted(hopeless, RKNN_ERR_DEVICE_UNAVAILABLE);
    after_leaving_queue();
}

int32_t Engine::replace_worker(uint32_t index, rknn_context context) {
    TaskList spare(context == 0 ? 0 : 2);
    ThreadList ended;
    {
        const Lock lock(mutex_);
        if (index >= workers_.size() || !workers_[index].awaits_replacement) return EZR_INVALID;
        if (closed_) return EZR_CLOSED;
        Worker &worker = workers_[index];
        if (context == 0) {
            give_up(worker);
            return EZR_OK;
        }
        start_thread(worker.group);
        worker.lanes[worker.stuck_lane] = {context, {}};
        worker.spare.swap(spare);
        worker.awaits_replacement = false;
        worker.record = {};
        Group &group = dispatch_.group(worker.group);
        group.settle_replacement();
        group.add_worker(index);
        dispatch_.distribute(&group);  // the new thread checks the queues itself
        admit_next();
        move_ended_threads(ended);
    }
    for (Thread &thread : ended) thread.thread.join();
    return EZR_OK;
}

void Engine::give_up(Worker &worker) {
    worker.awaits_replacement = false;
    worker.is_lost = true;
    dispatch_.group(worker.group).settle_replacement();
    end_unservable();
    if (dispatch_.is_retired()) close_locked(true);
}

}  // namespace ez_rknn::engine
