/* The engine behind ez_rknn_engine.h: admission, the worker threads, and the end.
 *
 * One lock guards all of it. It is held for the few list operations that a task's passage takes, never during a call
 * into the runtime; and because every question that a thread sleeps on is answered under it, and every change of an
 * answer is notified under it, no wake-up can be lost between two locks. */
#ifndef EZ_RKNN_ENGINE_IMPL_H
#define EZ_RKNN_ENGINE_IMPL_H

#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "completions.h"
#include "group.h"
#include "monotonic.h"
#include "task.h"
#include "waiting_line.h"

namespace ezr {

/* A thread that waits in run() for a task that a worker will run. Lives on that thread's stack; the engine's lock
 * guards it, and nobody touches it after the task was put into `ended`. */
struct Caller {
    MonotonicCondition changed;
    TaskList ended;
    bool taken_up = false;
};

class Engine {
  public:
    /* Throws std::bad_alloc, or std::system_error when the system refuses a thread. `config` must be valid. */
    explicit Engine(const ezr_config &config);
    /* Finishes what was accepted, and joins the threads. */
    ~Engine();
    Engine(const Engine &) = delete;
    Engine &operator=(const Engine &) = delete;

    static bool is_valid(const ezr_config *config);

    /* As in ez_rknn_engine.h; all may throw std::bad_alloc before the task is accepted, and nothing else. */
    int32_t run(const ezr_task *task, const Deadline &deadline, ezr_result *result);
    int64_t submit(const ezr_task *task, const Deadline &deadline);
    int32_t next_completion(const Deadline &deadline, ezr_result *result);
    void close(bool discard);
    void stats(ezr_group_stats *stats);

  private:
    using Lock = std::unique_lock<std::mutex>;

    /* Waits for the turn of a task that needs a place in a queue: EZR_OK, EZR_TIMEOUT or EZR_CLOSED. */
    int32_t wait_for_queue(Lock &lock, const Deadline &deadline);
    int32_t wait_for_completions(Lock &lock, const Deadline &deadline);
    /* The group of the next task to be accepted. */
    Group &next_group() { return groups_[routes_[next_id_ % routes_.size()]]; }
    /* Accepts a task into next_group(): from here on it has an id and will end. Returns the group. */
    Group &accept(Task &task);
    /* To be called when next_group() may have got room. */
    void admit_next();
    /* To be called when a task left the queue of a group, for a context or because it was withdrawn. */
    void after_leaving_queue(Group &group);

    void run_here(Lock &lock, Task &task, Group &group);
    int32_t run_queued(Lock &lock, TaskList &task, Group &group, const Deadline &deadline);
    /* Runs a task on an idle context of its group, without the lock. */
    void run_on_context(Lock &lock, Task &task, Group &group);
    /* Hands the ended task at the front of `task` to whoever waits for it. */
    void deliver(TaskList &task);
    void discard_queue(Group &group);

    void start_threads();
    void join_threads();
    void work(uint32_t group_index, uint32_t thread_index);
    bool wait_for_work(Lock &lock, Group &group);

    const ezr_runtime runtime_;
    const std::vector<ezr_worker> workers_;
    const std::vector<uint32_t> routes_;

    std::mutex mutex_; /* guards everything below except threads_ */
    std::deque<Group> groups_;
    Completions completions_;
    int64_t next_id_ = 0;
    bool closed_ = false;

    /* Who waits for room among the completions, and who waits for a place in the queue of next_group(). They are two
     * lines because ezr_run passes by the first: a host that collects completions may run a task before it collects
     * the next one, and must not wait behind a submitter that waits for it to collect. */
    WaitingLine submitters_;
    WaitingLine admission_;

    std::vector<std::thread> threads_; /* only the creating and the destroying thread touch it */
};

}  // namespace ezr

#endif
