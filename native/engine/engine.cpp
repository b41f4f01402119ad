#include "engine.h"

#include <algorithm>

namespace ezr {

namespace {

/* The result of a task that no worker has taken up and none will. */
void mark_discarded(ezr_result &result) {
    result.code = RKNN_ERR_FAIL;
    result.call = EZR_CALL_NONE;
    result.worker = UINT32_MAX;
    result.started_ns = result.input_ns = result.npu_ns = result.finished_ns = now_ns();
}

}  // namespace

bool Engine::is_valid(const ezr_config *config) {
    if (config == nullptr || config->workers == nullptr || config->routes == nullptr) return false;
    if (config->worker_count == 0 || config->group_count == 0 || config->route_count == 0) return false;
    if (config->group_count > config->worker_count) return false;
    if (config->queue_capacity == 0 || config->completion_capacity == 0) return false;
    if (config->dispatch != 0 || config->pacing != 0 || config->run_timeout_ms != 0) return false;
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
      workers_(config.workers, config.workers + config.worker_count),
      routes_(config.routes, config.routes + config.route_count),
      completions_(config.ordered != 0, config.completion_capacity) {
    for (uint32_t i = 0; i < config.group_count; ++i) groups_.emplace_back(config.queue_capacity);
    for (uint32_t i = 0; i < config.worker_count; ++i) groups_[workers_[i].group].add_worker(i);
    start_threads();
}

Engine::~Engine() {
    close(false);
    join_threads();
}

/* ---- Admission ---- */

int32_t Engine::wait_for_completions(Lock &lock, const Deadline &deadline) {
    const auto ready = [this] { return closed_ || completions_.has_room(); };
    if (!submitters_.wait(lock, deadline, ready)) return EZR_TIMEOUT;
    submitters_.wake_first();  // the answer is still yes: room is taken by finishing, not by submitting
    return closed_ ? EZR_CLOSED : EZR_OK;
}

int32_t Engine::wait_for_queue(Lock &lock, const Deadline &deadline) {
    // Which queue is asked anew each time: the id, and with it the group, belongs to whoever is first in line.
    const auto ready = [this] { return closed_ || next_group().has_room(); };
    if (!admission_.wait(lock, deadline, ready)) return EZR_TIMEOUT;
    if (!closed_) return EZR_OK;
    admission_.wake_first();  // one after the other they all leave
    return EZR_CLOSED;
}

Group &Engine::accept(Task &task) {
    Group &group = next_group();
    task.result.group = routes_[next_id_ % routes_.size()];
    task.result.id = next_id_++;
    task.result.submitted_ns = now_ns();
    return group;
}

void Engine::admit_next() {
    if (next_group().has_room()) admission_.wake_first();
}

void Engine::after_leaving_queue(Group &group) {
    admit_next();
    if (closed_ && group.is_empty()) group.work.notify_all();  // its threads have nothing to wait for any more
}

int64_t Engine::submit(const ezr_task *task, const Deadline &deadline) {
    if (!ezr::is_valid(task, runtime_)) return EZR_INVALID;
    TaskList accepted;
    accepted.emplace_back(*task);

    Lock lock(mutex_);
    int32_t status = wait_for_completions(lock, deadline);
    if (status == EZR_OK) status = wait_for_queue(lock, deadline);
    if (status != EZR_OK) return status;

    Group &group = accept(accepted.front());
    const int64_t id = accepted.front().result.id;
    completions_.expect(accepted.front());
    group.enqueue(accepted);
    admit_next();
    return id;
}

/* ---- Running and waiting ---- */

int32_t Engine::run(const ezr_task *task, const Deadline &deadline, ezr_result *result) {
    if (!ezr::is_valid(task, runtime_)) return EZR_INVALID;
    TaskList own;
    own.emplace_back(*task);

    Lock lock(mutex_);
    int32_t status = wait_for_queue(lock, deadline);
    if (status != EZR_OK) return status;
    Group &group = accept(own.front());
    if (group.can_start_at_once()) {
        run_here(lock, own.front(), group);
    } else {
        status = run_queued(lock, own, group, deadline);
    }
    if (status == EZR_OK) *result = own.front().result;
    return status;
}

void Engine::run_here(Lock &lock, Task &task, Group &group) {
    admit_next();
    run_on_context(lock, task, group);
    // The context was missing to the group's threads, none of which is on its way to look at the queue.
    if (group.can_start()) group.work.notify_one();
}

int32_t Engine::run_queued(Lock &lock, TaskList &task, Group &group, const Deadline &deadline) {
    Caller self;
    task.front().caller = &self;
    const TaskList::iterator place = group.enqueue(task);
    admit_next();

    bool in_time = true;
    while (in_time && self.ended.empty()) in_time = self.changed.wait_until(lock, deadline);
    if (self.ended.empty() && !self.taken_up) {
        group.withdraw(place, task);
        after_leaving_queue(group);
        return EZR_TIMEOUT;
    }
    while (self.ended.empty()) self.changed.wait(lock);
    task.splice(task.end(), self.ended);
    return EZR_OK;
}

void Engine::run_on_context(Lock &lock, Task &task, Group &group) {
    const uint32_t worker = group.take_context();
    task.result.worker = worker;
    lock.unlock();
    execute(task, runtime_, workers_[worker].context);
    lock.lock();
    group.give_back_context(worker);
    group.count(task.result);
}

void Engine::deliver(TaskList &task) {
    if (Caller *caller = task.front().caller) {
        caller->ended.splice(caller->ended.end(), task, task.begin());
        caller->changed.notify_one();
    } else {
        completions_.finish(task);
    }
}

int32_t Engine::next_completion(const Deadline &deadline, ezr_result *result) {
    TaskList collected;  // declared before the lock: the task is freed after it is released
    Lock lock(mutex_);
    bool in_time = true;
    while (!completions_.has_next()) {
        if (closed_ && completions_.is_drained()) return EZR_CLOSED;
        if (!in_time) return EZR_TIMEOUT;
        in_time = completions_.ready.wait_until(lock, deadline);
    }
    completions_.collect(collected);
    if (completions_.has_room()) submitters_.wake_first();
    if (closed_ && completions_.is_drained()) completions_.ready.notify_all();
    *result = collected.front().result;
    return EZR_OK;
}

/* ---- The end ---- */

void Engine::close(bool discard) {
    Lock lock(mutex_);
    closed_ = true;
    for (Group &group : groups_) {
        if (discard) discard_queue(group);
        group.work.notify_all();
    }
    submitters_.wake_first();
    admission_.wake_first();
    if (completions_.is_drained()) completions_.ready.notify_all();
}

void Engine::discard_queue(Group &group) {
    TaskList discarded;
    group.dequeue_all(discarded);
    while (!discarded.empty()) {
        mark_discarded(discarded.front().result);
        group.count(discarded.front().result);
        deliver(discarded);
    }
}

void Engine::stats(ezr_group_stats *stats) {
    Lock lock(mutex_);
    for (const Group &group : groups_) *stats++ = group.stats();
}

}  // namespace ezr
