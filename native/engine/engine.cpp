/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine.h"

#include <algorithm>

namespace ez_rknn::engine {
namespace {

/* A thread that sleeps has woken up by then. Tasks that take longer are worth a wake-up each. */
constexpr int64_t brief_ns = 1'000'000;

}  // namespace

bool Engine::is_valid(const ezr_config *config) {
    if (config == nullptr || config->workers == nullptr || config->routes == nullptr) return false;
    if (config->worker_count == 0 || config->group_count == 0 || config->route_count == 0) return false;
    if (config->group_count > config->worker_count) return false;
    if (config->queue_capacity == 0 || config->completion_capacity == 0) return false;
    if (config->dispatch > EZR_DISPATCH_LEAST_LOADED || config->pacing > 1 || config->run_timeout_ms < 0) return false;
    const ezr_runtime &runtime = config->runtime;  // the other two are optional
    if (!runtime.inputs_set || !runtime.run || !runtime.outputs_get || !runtime.outputs_release) return false;

    std::vector<bool> has_worker(config->group_count, false);
    for (uint32_t i = 0; i < config->worker_count; ++i) {
        if (config->workers[i].group >= config->group_count) return false;
        has_worker[config->workers[i].group] = true;
    }
    return std::all_of(has_worker.begin(), has_worker.end(), [](bool has) { return has; }) &&
           std::all_of(config->routes, config->routes + config->route_count,
                       [&](uint32_t group) { return group < config->group_count; });
}

Engine::Engine(const ezr_config &config)
    : runtime_(config.runtime),
      run_timeout_ns_(int64_t{config.run_timeout_ms} * 1'000'000),
      workers_(config.worker_count),
      dispatch_(config),
      completions_(config.ordered != 0, config.completion_capacity),
      pace_(config.pacing != 0) {
    for (uint32_t i = 0; i < config.worker_count; ++i) {
        workers_[i].lanes.push_back({config.workers[i].context, {}});
        workers_[i].group = config.workers[i].group;
        if (has_watchdog()) workers_[i].spare.resize(2);
    }
    start_threads();
}

Engine::~Engine() {
    for (Thread &thread : threads_) thread.thread.join();
}

/* ---- Admission ---- */

int32_t Engine::wait_for_completions(Turn &turn) {
    const auto ready = [this] {
        mutex_.assert_held();
        return closed_ || completions_.has_room();
    };
    if (submitters_.wait(mutex_, turn, ready) != Wake::set) return EZR_TIMEOUT;
    submitters_.wake_first();  // the answer is still yes: room is taken by finishing, not by submitting
    return closed_ ? EZR_CLOSED : EZR_OK;
}

int32_t Engine::wait_for_queue(Turn &turn) {
    // Looked up again each time: the id, and with it the queue, belongs to the first in line.
    const auto ready = [this] {
        mutex_.assert_held();
        grant_room();  // before anyone who came later takes the room
        return closed_ || may_admit();
    };
    const auto due = [this] {
        mutex_.assert_held();
        return dispatch_.has_room() ? pace_due() : Deadline::never();
    };
    const Wake wake = admission_.wait(mutex_, turn, ready, due);
    if (wake != Wake::set) return wake == Wake::timeout ? EZR_TIMEOUT : EZR_INTERRUPTED;
    if (!closed_) return EZR_OK;
    admission_.wake_first();  // they all leave, one after the other
    return EZR_CLOSED;
}

Deadline Engine::pace_due() const {
    return pace_.due(dispatch_.worker_count());
}

void Engine::admit_next() {
    grant_room();
    // No thread waits in line for the request, so a collector has to watch the clock for it.
    if (could_grant_room_but_for_pace()) completions_.ready.notify_one();
    // With pacing the first in line watches the clock as soon as there is room.
    if (pace_.is_kept() ? dispatch_.has_room() : dispatch_.wants_more(brief_ns)) admission_.wake_first();
}

void Engine::after_leaving_queue() {
    admit_next();
    if (!closed_) return;
    for (Group &group : dispatch_.groups()) {
        // Its threads have nothing left to wait for.
        if (dispatch_.has_nothing_for(group)) group.work.notify_all();
    }
}

int64_t Engine::submit(const ezr_task *task, int32_t timeout_ms) {
    if (!ez_rknn::engine::is_valid(task, runtime_) || task->lane >= lane_count_) return EZR_INVALID;
    TaskList accepted;
    accepted.emplace_back(*task);
    Turn in_submitters{Deadline::in_ms(timeout_ms)};
    Turn in_admission = in_submitters;

    const Lock lock(mutex_);
    const bool passes_the_lines = timeout_ms == 0 && room_.is_granted && !closed_;
    if (timeout_ms == 0) room_.is_granted = false;
    if (!passes_the_lines) {
        int32_t status = wait_for_completions(in_submitters);
        if (status == EZR_OK) status = wait_for_queue(in_admission);
        if (status != EZR_OK) return status;
    }
    return accept(accepted);
}

int64_t Engine::try_submit(const ezr_task *task) {
    if (!ez_rknn::engine::is_valid(task, runtime_) || task->lane >= lane_count_) return EZR_INVALID;
    TaskList accepted;
    accepted.emplace_back(*task);

    const Lock lock(mutex_);
    if (closed_) return EZR_CLOSED;
    grant_room();  // before this one, which came later, takes the room
    const bool is_first = submitters_.is_empty() && admission_.is_empty();
    return is_first && completions_.has_room() && may_admit() ? accept(accepted) : EZR_TIMEOUT;
}

int64_t Engine::accept(TaskList &submitted) {
    Task &front = submitted.front();
    completions_.expect(front);
    try {
        dispatch_.enqueue(submitted);
    } catch (...) {
        completions_.disown(front);
        throw;
    }
    const int64_t id = front.result.id;
    pace_.admitted(front.result.submitted_ns);
    admit_next();
    return id;
}

int32_t Engine::cancel(int64_t id) {
    TaskList withdrawn;
    const Lock lock(mutex_);
    const Task *task = dispatch_.find(id);
    if (task == nullptr || task->caller != nullptr) return EZR_INVALID;
    dispatch_.withdraw(id, withdrawn);
    end_unstarted(withdrawn, EZR_CANCELLED);
    after_leaving_queue();
    return EZR_OK;
}

void Engine::notify_room() {
    const Lock lock(mutex_);
    if (room_.is_pending) return;
    room_ = {true, false, submitters_.last_number(), admission_.last_number()};
    admit_next();
}

bool Engine::could_grant_room_but_for_pace() const {
    return room_.is_pending && submitters_.has_passed(room_.after_submitter) &&
           admission_.has_passed(room_.after_admission) && completions_.has_room() && dispatch_.has_room();
}

void Engine::grant_room() {
    if (!room_.is_pending) return;
    if (!closed_ && !(could_grant_room_but_for_pace() && is_pace_due())) return;
    room_.is_pending = false;
    room_.is_granted = true;
    completions_.tell_room();
}

/* ---- Ended tasks ---- */

void Engine::count(const ezr_result &result) {
    dispatch_.count(result);
    Worker::Record &record = workers_[result.worker].record;
    record = {result.code == RKNN_SUCC ? 0 : record.failures + 1, result.code, result.call};
    if (result.code != RKNN_SUCC) return;
    stages_.add(result);
    pace_.occupied(result.finished_ns - result.started_ns);
}

bool Engine::is_streaming() const {
    return !closed_ && dispatch_.is_backlogged(brief_ns);
}

void Engine::deliver(TaskList &task, bool more_follow) {
    if (Caller *caller = task.front().caller) {
        caller->task.splice(caller->task.end(), task, task.begin());
        caller->changed.set();
    } else if (task.front().status == EZR_OK) {
        completions_.finish(task, more_follow);
    } else {
        completions_.settle_notice();  // its caller left, and is told that its buffers are free
        completions_.tell(task);
    }
}

void Engine::end_unstarted(TaskList &tasks, int32_t code) {
    while (!tasks.empty()) {
        ezr_result &result = tasks.front().result;
        result.code = code;
        result.call = EZR_CALL_NONE;
        result.worker = UINT32_MAX;
        result.started_ns = result.input_ns = result.npu_ns = result.finished_ns = now_ns();
        dispatch_.count(result);
        deliver(tasks);
    }
}

bool Engine::wait_to_collect(const Deadline &deadline) {
    Deadline until = deadline;
    if (could_grant_room_but_for_pace()) until = std::min(until, pace_due());
    const bool naps = is_streaming();
    if (naps) until = std::min(until, Deadline::at(now_ns() + Completions::nap_ns));
    completions_.napping += naps ? 1 : 0;
    const bool in_time = completions_.ready.wait_until(mutex_, until);
    completions_.napping -= naps ? 1 : 0;
    return in_time || !deadline.has_passed();
}

int32_t Engine::next_completions(const Deadline &deadline, uint32_t capacity, ezr_result *results, int32_t *statuses) {
    TaskList collected;  // declared before the lock: the tasks are freed after it is released
    const Lock lock(mutex_);
    bool is_late = false;
    while (!completions_.has_next()) {
        if (closed_ && completions_.is_drained()) return EZR_CLOSED;
        if (is_late) return EZR_TIMEOUT;
        is_late = deadline.has_passed() || !wait_to_collect(deadline);
        grant_room();
    }
    uint32_t count = 0;
    while (count < capacity && completions_.has_next()) {
        statuses[count] = completions_.collect(collected);
        if (statuses[count] != EZR_ROOM) results[count] = collected.back().result;
        ++count;
    }
    if (completions_.has_next()) completions_.ready.notify_one();  // each notified only one collector
    if (completions_.has_room()) submitters_.wake_first();
    admit_next();
    if (closed_ && completions_.is_drained()) completions_.ready.notify_all();
    return static_cast<int32_t>(count);
}

void Engine::stats(ezr_group_stats *groups, ezr_stage_stats *stages) {
    const Lock lock(mutex_);
    if (groups != nullptr) {
        for (const Group &group : dispatch_.groups()) *groups++ = dispatch_.stats(group.index());
    }
    if (stages != nullptr) stages_.summarise(stages);
}

void Engine::health(ezr_worker_health *workers) {
    const Lock lock(mutex_);
    for (const Worker &worker : workers_) {
        const uint32_t state = worker.is_lost              ? EZR_WORKER_LOST
                               : worker.awaits_replacement ? EZR_WORKER_STALLED
                                                           : EZR_WORKER_READY;
        *workers++ = {worker.group, state, worker.record.failures, worker.record.code, worker.record.call};
    }
}

void Engine::reset_stats() {
    const Lock lock(mutex_);
    for (Group &group : dispatch_.groups()) group.reset_stats();
    stages_ = Stages();
}

}  // namespace ez_rknn::engine
