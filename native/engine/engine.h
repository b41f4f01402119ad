/* SPDX-License-Identifier: Apache-2.0 */
/* The engine behind ez_rknn_engine.h: admission, the worker threads, the watchdog, and the end.
 *
 * One lock guards all of it. It is held for the few list operations of each task, never during a call into the runtime.
 * Every condition that a thread sleeps on is checked under it, and every change of one is notified under it, so no
 * wake-up can be lost between two locks. */
#pragma once

#include <atomic>
#include <list>
#include <thread>
#include <vector>

#include "common/mutex.h"
#include "engine/caller.h"
#include "engine/completions.h"
#include "engine/dispatch.h"
#include "engine/monotonic.h"
#include "engine/pace.h"
#include "engine/stages.h"
#include "engine/task.h"
#include "engine/waiting_line.h"

namespace ez_rknn::engine {

class Engine {
  public:
    /* Throws std::bad_alloc, or std::system_error when the system refuses a thread. `config` must be valid. */
    explicit Engine(const ezr_config &config);
    /* Only after end(), and when no thread is left behind. */
    virtual ~Engine(); /* virtual, because api.cpp derives the C type from it */
    Engine(const Engine &) = delete;
    Engine &operator=(const Engine &) = delete;

    static bool is_valid(const ezr_config *config);

    /* The functions of ez_rknn_engine.h; all may throw std::bad_alloc before the task is accepted, and nothing else. */
    int32_t run(const ezr_task *task, const Deadline &deadline, bool is_interruptible, ezr_result *result);
    int32_t resume(int64_t id, ezr_result *result);
    int32_t leave(int64_t id);
    int64_t submit(const ezr_task *task, int32_t timeout_ms);
    int64_t try_submit(const ezr_task *task);
    int32_t cancel(int64_t id);
    void notify_room();
    int32_t next_completions(const Deadline &deadline, uint32_t capacity, ezr_result *results, int32_t *statuses);
    /* May throw std::system_error too, with no effect. */
    int32_t replace_worker(uint32_t worker, rknn_context context);
    int32_t add_lane(const rknn_context *contexts);
    void close(bool discard);
    int32_t join(const Deadline &deadline);
    void stats(ezr_group_stats *groups, ezr_stage_stats *stages);
    void health(ezr_worker_health *workers);
    void reset_stats();

    /* Closes, finishes what was accepted, and joins the threads; returns the number of those that are left behind. */
    uint32_t end(int32_t timeout_ms, rknn_context *left, uint32_t capacity);
    /* True if all threads that were left behind have come back. */
    bool is_complete();
    /* Engines that were left behind form a chain: keeping one must not need memory. */
    Engine *next_left_behind = nullptr;

  private:
    struct Lane {
        rknn_context context;
        ContextState state; /* a task on the context has it */
    };
    /* The host's worker: its contexts, used one at a time, and its group. */
    struct Worker {
        std::vector<Lane> lanes;
        uint32_t group;
        uint32_t stuck_lane = 0; /* while it awaits replacement */
        bool awaits_replacement = false;
        bool is_lost = false;
        /* The end of its last task, and the number of failures in a row up to it. */
        struct Record {
            uint64_t failures = 0;
            int32_t code = RKNN_SUCC;
            int32_t call = EZR_CALL_NONE;
        } record;
        /* Two tasks with only a result: for the completion of a task that is set aside while its own node is in use,
         * and for the notice. None without a watchdog. */
        TaskList spare;
    };
    struct Thread {
        std::thread thread;
        uint32_t group;
        uint32_t number; /* among those of its group */
        bool has_ended = false;
    };
    using ThreadList = std::list<Thread>;

    /* ---- Admission: engine.cpp ---- */

    /* Waits for a task's turn to enter a queue: EZR_OK, _TIMEOUT, _INTERRUPTED or _CLOSED. */
    int32_t wait_for_queue(Turn &turn) EZ_RKNN_REQUIRES(mutex_);
    int32_t wait_for_completions(Turn &turn) EZ_RKNN_REQUIRES(mutex_);
    /* The time from which the next task may be admitted. */
    Deadline pace_due() const EZ_RKNN_REQUIRES(mutex_);
    bool is_pace_due() const EZ_RKNN_REQUIRES(mutex_) { return !pace_.is_kept() || pace_due().has_passed(); }
    bool may_admit() const EZ_RKNN_REQUIRES(mutex_) { return dispatch_.has_room() && is_pace_due(); }
    /* Queues a submitted task, whose turn it is, and returns its id. */
    int64_t accept(TaskList &submitted) EZ_RKNN_REQUIRES(mutex_);
    /* Call when there may be room for the next task. */
    void admit_next() EZ_RKNN_REQUIRES(mutex_);
    /* Call when tasks left a queue, for a context or because they were withdrawn. */
    void after_leaving_queue() EZ_RKNN_REQUIRES(mutex_);
    /* Serves the request of notify_room(), if its turn has come. */
    void grant_room() EZ_RKNN_REQUIRES(mutex_);
    bool could_grant_room_but_for_pace() const EZ_RKNN_REQUIRES(mutex_);

    /* ---- Running and waiting: run.cpp ---- */

    Group *group_for_caller(bool is_interruptible) EZ_RKNN_REQUIRES(mutex_);
    int32_t run_here(TaskList &task, Group &group, ezr_result *result) EZ_RKNN_REQUIRES(mutex_);
    int32_t attend(CallerList &caller, ezr_result *result) EZ_RKNN_REQUIRES(mutex_);
    int32_t wait_until_ended(CallerList &caller, ezr_result *result) EZ_RKNN_REQUIRES(mutex_);
    int32_t park(CallerList &caller, int64_t id, ezr_result *result) EZ_RKNN_REQUIRES(mutex_);
    CallerList taken_from_away(int64_t id) EZ_RKNN_REQUIRES(mutex_);
    void forget_queued(int64_t id) EZ_RKNN_REQUIRES(mutex_);

    /* ---- Ended tasks: engine.cpp ---- */

    /* Counts a task that ran. */
    void count(const ezr_result &result) EZ_RKNN_REQUIRES(mutex_);
    /* Hands the ended task at the front of `task` to its caller, or to the collectors, who may wait for more if those
     * are about to follow. */
    void deliver(TaskList &task, bool more_follow = false) EZ_RKNN_REQUIRES(mutex_);
    /* True if tasks end one soon after the other, and a collector that sleeps meanwhile keeps no context idle. */
    bool is_streaming() const EZ_RKNN_REQUIRES(mutex_);
    /* Waits for something to collect; false once `deadline` has passed. */
    bool wait_to_collect(const Deadline &deadline) EZ_RKNN_REQUIRES(mutex_);
    /* Ends tasks that no worker has taken up or will. */
    void end_unstarted(TaskList &tasks, int32_t code) EZ_RKNN_REQUIRES(mutex_);

    /* ---- Threads: worker.cpp ---- */

    void start_threads();
    void start_thread(uint32_t group) EZ_RKNN_REQUIRES(mutex_);
    void work(Thread &self);
    bool wait_for_work(Group &group) EZ_RKNN_REQUIRES(mutex_);
    /* Runs the task of `task` on an idle context of the group, without the lock. False if it was set aside meanwhile:
     * then `task` is empty and the calling thread must leave. */
    bool run_on_context(TaskList &task, Group &group, int64_t started_ns) EZ_RKNN_REQUIRES(mutex_);

    /* ---- The watchdog: watchdog.cpp ---- */

    bool has_watchdog() const { return run_timeout_ns_ > 0; }
    void watch_over();
    void watch(TaskList &task) EZ_RKNN_REQUIRES(mutex_);
    bool unwatch(TaskList::iterator place, TaskList &task) EZ_RKNN_REQUIRES(mutex_);
    void set_aside_first() EZ_RKNN_REQUIRES(mutex_);
    void give_up(Worker &worker) EZ_RKNN_REQUIRES(mutex_);
    void end_unservable() EZ_RKNN_REQUIRES(mutex_);

    /* ---- The end: ending.cpp ---- */

    void close_locked(bool discard) EZ_RKNN_REQUIRES(mutex_);
    void move_ended_threads(ThreadList &to) EZ_RKNN_REQUIRES(mutex_);

    const ezr_runtime runtime_;
    const int64_t run_timeout_ns_;
    std::atomic<uint32_t> lane_count_{1}; /* changes under the lock */

    Mutex mutex_;
    std::vector<Worker> workers_ EZ_RKNN_GUARDED_BY(mutex_);
    Dispatch dispatch_ EZ_RKNN_GUARDED_BY(mutex_);
    Completions completions_ EZ_RKNN_GUARDED_BY(mutex_);
    Pace pace_ EZ_RKNN_GUARDED_BY(mutex_);
    Stages stages_ EZ_RKNN_GUARDED_BY(mutex_);
    bool closed_ EZ_RKNN_GUARDED_BY(mutex_) = false;

    /* Threads waiting for room among the completions, and threads waiting for a place in the queue of the next task.
     * They are two lines because ezr_run skips the first: a host that collects completions may run a task before it
     * collects the next one, and must not wait behind a submitter that waits for it to collect. */
    WaitingLine submitters_ EZ_RKNN_GUARDED_BY(mutex_);
    WaitingLine admission_ EZ_RKNN_GUARDED_BY(mutex_);

    /* A request for EZR_ROOM. It has a turn like a waiting thread, but holds no one up: when its turn comes it is
     * granted, which lets one submission pass; whether the host ever makes one is its own business. */
    struct RoomRequest {
        bool is_pending = false;
        bool is_granted = false;
        uint64_t after_submitter = 0; /* the last that came before, in either line */
        uint64_t after_admission = 0;
    } room_ EZ_RKNN_GUARDED_BY(mutex_);

    CallerList away_ EZ_RKNN_GUARDED_BY(mutex_);              /* interrupted, and neither resumed nor left */
    int64_t next_id_in_line_ EZ_RKNN_GUARDED_BY(mutex_) = -2; /* for those of them without a task id yet */

    TaskList running_ EZ_RKNN_GUARDED_BY(mutex_); /* watched by the watchdog, in the order of started_ns */
    TaskList stuck_ EZ_RKNN_GUARDED_BY(mutex_);   /* set aside by it, until the call returns */
    MonotonicCondition started_;                  /* the watchdog sleeps here while nothing is running */
    bool is_stopping_ EZ_RKNN_GUARDED_BY(mutex_) = false;

    ThreadList threads_ EZ_RKNN_GUARDED_BY(mutex_);
    uint32_t working_threads_ EZ_RKNN_GUARDED_BY(mutex_) = 0; /* neither ended nor set aside */
    MonotonicCondition thread_ended_;
    std::thread watchdog_; /* only the creating and the destroying thread touch it */
};

}  // namespace ez_rknn::engine
