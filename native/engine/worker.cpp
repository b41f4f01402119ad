/* SPDX-License-Identifier: Apache-2.0 */
/* The engine's threads: one a context in each group, and the watchdog. */
#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "engine/engine.h"
#include "engine/execution.h"

namespace ez_rknn::engine {
namespace {

/* Blocks every signal for the calling thread while this object lives; threads started meanwhile inherit that for good.
 * The host's handlers then run on the host's own threads, and never interrupt a call into the driver. */
class SignalsBlocked {
  public:
    SignalsBlocked() {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &previous_);
    }
    ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &previous_, nullptr); }
    SignalsBlocked(const SignalsBlocked &) = delete;
    SignalsBlocked &operator=(const SignalsBlocked &) = delete;

  private:
    sigset_t previous_;
};

/* Sets the name that top and perf show, such as "ezr-g2-1" for the second thread of group 2. */
void name_this_thread(uint32_t group, uint32_t thread) {
    char name[32];
    std::snprintf(name, sizeof name, "ezr-g%u-%u", group, thread);
    name[15] = '\0';  // the kernel refuses a longer one
    pthread_setname_np(pthread_self(), name);
}

}  // namespace

void Engine::start_threads() {
    try {
        const Lock lock(mutex_);
        for (const Group &group : dispatch_.groups()) {
            for (uint32_t i = 0; i < group.worker_count(); ++i) start_thread(group.index());
        }
        const SignalsBlocked signals_blocked;
        if (has_watchdog()) watchdog_ = std::thread([this] { watch_over(); });
    } catch (...) {
        end(0, nullptr, 0);
        throw;
    }
}

void Engine::start_thread(uint32_t group) {
    const SignalsBlocked signals_blocked;
    const auto is_of_group = [group](const Thread &thread) { return thread.group == group; };
    const auto number = static_cast<uint32_t>(std::count_if(threads_.begin(), threads_.end(), is_of_group));
    threads_.push_back({std::thread(), group, number});
    Thread &self = threads_.back();
    try {
        self.thread = std::thread([this, &self] { work(self); });
    } catch (...) {
        threads_.pop_back();
        throw;
    }
    ++working_threads_;
}

void Engine::work(Thread &self) {
    name_this_thread(self.group, self.number);
    const Lock lock(mutex_);
    Group &group = dispatch_.group(self.group);
    while (wait_for_work(group)) {
        TaskList task;
        dispatch_.take_up(group, task);
        if (Caller *caller = task.front().caller) caller->taken_up = &task.front();
        after_leaving_queue();
        if (!run_on_context(task, group, now_ns())) {
            self.has_ended = true;
            thread_ended_.notify_all();
            return;
        }
        dispatch_.distribute(&group);
        deliver(task, is_streaming());
    }
    self.has_ended = true;
    --working_threads_;
    thread_ended_.notify_all();
}

bool Engine::wait_for_work(Group &group) {
    while (!group.can_start()) {
        if (closed_ && dispatch_.has_nothing_for(group)) return false;
        group.work.wait(mutex_);
    }
    return true;
}

int32_t Engine::add_lane(const rknn_context *contexts) {
    const Lock lock(mutex_);
    if (closed_) return EZR_CLOSED;
    for (Worker &worker : workers_) worker.lanes.reserve(lane_count_ + 1);  // all or none
    for (Worker &worker : workers_) worker.lanes.push_back({*contexts++, {}});
    return static_cast<int32_t>(lane_count_++);
}

bool Engine::run_on_context(TaskList &task, Group &group, int64_t started_ns) {
    const TaskList::iterator place = task.begin();
    Task &running = task.front();
    const uint32_t worker = running.result.worker = group.take_context();
    running.result.started_ns = started_ns;
    const auto lane = [&]() -> Lane & {
        mutex_.assert_held();
        return workers_[worker].lanes[running.result.lane];
    };
    running.context = lane().context;
    running.state = std::exchange(lane().state, {});
    if (has_watchdog()) watch(task);
    mutex_.unlock();
    execute(running, runtime_);
    mutex_.lock();
    if (has_watchdog() && !unwatch(place, task)) return false;
    lane().state = std::move(running.state);
    group.give_back_context(worker);
    count(running.result);
    return true;
}

}  // namespace ez_rknn::engine
