/* SPDX-License-Identifier: Apache-2.0 */
/* EZR_RUN_INTERRUPTIBLE: blocking runs that let signal handlers run.
 *
 * A signal that arrives before the thread sleeps is lost, so the tests repeat it until the call has returned. */
#include <pthread.h>
#include <signal.h>

#include <atomic>
#include <thread>

#include "tests/check.h"
#include "tests/fake_runtime.h"

using namespace ez_rknn::tests;

namespace {

constexpr uint32_t interruptible = EZR_RUN_INTERRUPTIBLE;

void handle(int) {}

/* Installs a handler without SA_RESTART, as Python does. */
void install_handler() {
    struct sigaction action{};
    action.sa_handler = handle;
    sigaction(SIGUSR1, &action, nullptr);
}

/* A thread in a blocking call that gets signals. */
class Interruptible {
  public:
    template <typename Call>
    explicit Interruptible(Call call)
        : thread_([this, call] {
              call();
              has_returned_ = true;
          }) {}
    ~Interruptible() { thread_.join(); }
    Interruptible(const Interruptible &) = delete;
    Interruptible &operator=(const Interruptible &) = delete;

    void interrupt_until_it_returns() {
        while (!has_returned_) {
            pthread_kill(thread_.native_handle(), SIGUSR1);
            std::this_thread::yield();
        }
    }

  private:
    std::atomic<bool> has_returned_{false};
    std::thread thread_;
};

/* Returns the id of an interrupted run, on an engine whose only context hangs. */
int64_t interrupted_run(ezr_engine *engine, const ezr_task *job, int32_t timeout_ms = -1) {
    ezr_result result{};
    {
        Interruptible run([&] { CHECK_EQ(ezr_run(engine, job, timeout_ms, interruptible, &result), EZR_INTERRUPTED); });
        run.interrupt_until_it_returns();
    }
    return result.id;
}

/* Occupies the only context. */
void occupy(FakeRuntime &runtime, ezr_engine *engine, Job &job) {
    install_handler();
    runtime.occupy(engine, job);
}

}  // namespace

/* A run that is interrupted while its task is queued resumes where it was, and ends as if nothing had happened. */
TEST(an_interrupted_run_is_resumed) {
    FakeRuntime runtime;
    TestEngine engine({1, 1, {0}});
    Job busy, job(5);
    job.task.tag = 9;
    occupy(runtime, engine, busy);
    const int64_t id = interrupted_run(engine, job);
    CHECK_EQ(id, int64_t{1});
    ezr_result result{};
    {
        Interruptible again([&] { CHECK_EQ(ezr_resume(engine, id, &result), EZR_INTERRUPTED); });
        again.interrupt_until_it_returns();
    }
    CHECK_EQ(result.id, id);
    runtime.let_go(context_of(0));
    CHECK_EQ(ezr_resume(engine, id, &result), EZR_OK);
    CHECK_EQ(result.id, id);
    CHECK_EQ(result.tag, 9U);
    CHECK_EQ(result.code, RKNN_SUCC);
    CHECK(job.is_done());
    CHECK_EQ(ezr_resume(engine, id, &result), EZR_INVALID);
    CHECK_EQ(ezr_leave(engine, id), EZR_INVALID);
    CHECK_EQ(next(engine).id, int64_t{0});
}

/* The same while it runs: on a worker's thread, since nothing is known yet of this group's runs. */
TEST(a_run_is_interrupted_while_a_worker_runs_it) {
    FakeRuntime runtime;
    install_handler();
    TestEngine engine({1, 1, {0}});
    Job job;
    runtime.hold(context_of(0));
    const int64_t id = interrupted_run(engine, job);
    CHECK_EQ(id, int64_t{0});
    runtime.wait_until_held(context_of(0));
    runtime.let_go(context_of(0));
    ezr_result result{};
    CHECK_EQ(ezr_resume(engine, id, &result), EZR_OK);
    CHECK(job.is_done());
}

/* Without the flag a signal changes nothing. */
TEST(a_run_without_the_flag_is_not_interrupted) {
    FakeRuntime runtime;
    TestEngine engine({1, 1, {0}});
    Job busy, job;
    occupy(runtime, engine, busy);
    ezr_result result{};
    std::thread run([&] { CHECK_EQ(ezr_run(engine, job, -1, 0, &result), EZR_OK); });
    wait_until_queued(engine, 1);
    for (int i = 0; i < 1000; ++i) pthread_kill(run.native_handle(), SIGUSR1);
    runtime.let_go(context_of(0));
    run.join();
    CHECK(job.is_done());
    next(engine);
}

/* A run that waits for a place in the queue has no turn in the schedule yet; it keeps its place in the line. */
TEST(a_run_is_interrupted_while_it_waits_in_line) {
    FakeRuntime runtime;
    TestEngine engine({1, 1, {0}, 1});
    Job busy, queued, job;
    occupy(runtime, engine, busy);
    ezr_submit(engine, queued, 0);
    const int64_t id = interrupted_run(engine, job);
    CHECK(id < 0);
    ezr_result result{};
    CHECK_EQ(ezr_resume(engine, -1, &result), EZR_INVALID);
    runtime.let_go(context_of(0));
    CHECK_EQ(ezr_resume(engine, id, &result), EZR_OK);
    CHECK_EQ(result.id, int64_t{2});
    CHECK(job.is_done());
    for (size_t i = 0; i < 2; ++i) next(engine);
}

/* A run given up in line or in the queue leaves no trace, and the next one gets its place. */
TEST(a_waiting_run_can_be_left) {
    FakeRuntime runtime;
    TestEngine engine({1, 1, {0}, 1});
    Job busy, queued, in_line;
    occupy(runtime, engine, busy);
    const int64_t id = interrupted_run(engine, queued);
    CHECK_EQ(id, int64_t{1});
    const int64_t in_line_id = interrupted_run(engine, in_line);
    CHECK_EQ(ezr_leave(engine, in_line_id), EZR_OK);
    CHECK_EQ(ezr_leave(engine, in_line_id), EZR_INVALID);
    Job late;
    std::thread submitter([&] { CHECK_EQ(ezr_submit(engine, late, -1), int64_t{2}); });
    CHECK_EQ(ezr_leave(engine, id), EZR_OK);
    submitter.join();
    runtime.let_go(context_of(0));
    for (int64_t expected : {0, 2}) CHECK_EQ(next(engine).id, expected);
    CHECK(!queued.is_done());
    CHECK(!in_line.is_done());
    CHECK_EQ(stats_of(engine).cancelled, 1U);
}

/* A run given up while a worker runs it: its buffers are in use until the notice says that they are free, and a closed
 * engine does not end before that. */
TEST(a_run_that_is_left_is_released) {
    FakeRuntime runtime;
    install_handler();
    TestEngine engine({1, 1, {0}});
    Job job;
    job.task.tag = 6;
    runtime.hold(context_of(0));
    const int64_t id = interrupted_run(engine, job);
    runtime.wait_until_held(context_of(0));
    CHECK_EQ(ezr_leave(engine, id), EZR_BUSY);
    CHECK_EQ(ezr_leave(engine, id), EZR_INVALID);
    ezr_close(engine, 0);
    ezr_result result{};
    CHECK_EQ(ezr_next_completion(engine, 0, &result), EZR_TIMEOUT);
    runtime.let_go(context_of(0));
    CHECK_EQ(next(engine, EZR_RELEASED).tag, 6U);
    next(engine, EZR_CLOSED);
}

/* A run given up after it has ended: its buffers are free, and no notice follows. */
TEST(a_run_that_has_ended_may_be_left) {
    FakeRuntime runtime;
    install_handler();
    TestEngine engine({1, 1, {0}});
    Job job, after;
    runtime.hold(context_of(0));
    const int64_t id = interrupted_run(engine, job);
    runtime.let_go(context_of(0));
    ezr_submit(engine, after, 0);
    next(engine);
    CHECK_EQ(ezr_leave(engine, id), EZR_OK);
    CHECK(job.is_done());
    ezr_result result{};
    CHECK_EQ(ezr_next_completion(engine, 0, &result), EZR_TIMEOUT);
}

/* A run given up, whose worker then hangs: the watchdog sets it aside, and the buffers are released only when it
 * returns. */
TEST(a_run_that_is_left_may_hang) {
    for (const bool leave_first : {true, false}) {
        FakeRuntime runtime;
        install_handler();
        TestEngine engine(watched());
        Job job;
        job.task.tag = 6;
        runtime.hold(context_of(0));
        const int64_t id = interrupted_run(engine, job);
        runtime.wait_until_held(context_of(0));
        if (leave_first) CHECK_EQ(ezr_leave(engine, id), EZR_BUSY);
        CHECK_EQ(next(engine, EZR_STALLED).tag, 6U);
        if (!leave_first) CHECK_EQ(ezr_leave(engine, id), EZR_BUSY);
        ezr_result result{};
        CHECK_EQ(ezr_next_completion(engine, 0, &result), EZR_TIMEOUT);
        runtime.let_go(context_of(0));
        CHECK_EQ(next(engine, EZR_RELEASED).tag, 6U);
        ezr_close(engine, 0);
        next(engine, EZR_CLOSED);
    }
}

/* The timeout keeps running while the thread is away. */
TEST(a_resumed_run_times_out) {
    FakeRuntime runtime;
    TestEngine engine({1, 1, {0}});
    Job busy, job;
    occupy(runtime, engine, busy);
    const int64_t id = interrupted_run(engine, job, 300);
    ezr_result result{};
    CHECK_EQ(ezr_resume(engine, id, &result), EZR_TIMEOUT);
    CHECK_EQ(ezr_resume(engine, id, &result), EZR_INVALID);
    runtime.let_go(context_of(0));
    next(engine);
    CHECK(!job.is_done());
}

/* Once the runs of a group are known to be short, they run on the calling thread again. */
TEST(short_runs_are_made_on_the_calling_thread) {
    FakeRuntime runtime;
    TestEngine engine({1, 1, {0}});
    Job job;
    ezr_result result{};
    CHECK_EQ(ezr_run(engine, job, -1, interruptible, &result), EZR_OK);
    CHECK(runtime.thread_names() == std::set<std::string>{"ezr-g0-0"});
    for (int i = 0; i < 100; ++i) CHECK_EQ(ezr_run(engine, job, -1, interruptible, &result), EZR_OK);
    CHECK_EQ(runtime.thread_names().size(), 2U);
}

/* Signals at any moment, runs that are resumed or given up: every buffer is free in the end, and nothing is lost. */
TEST(interruptions_under_stress) {
    FakeRuntime runtime;
    install_handler();
    TestEngine engine({2, 1, {0, 1}, 1});
    constexpr int thread_count = 3, runs_each = 300;
    std::vector<Job> jobs(thread_count * runs_each);
    std::atomic<int> running{thread_count}, busy{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < thread_count; ++t) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < runs_each; ++i) {
                Job &job = jobs[t * runs_each + i];
                ezr_result result{};
                int32_t status = ezr_run(engine, job, -1, interruptible, &result);
                for (int times = 1; status == EZR_INTERRUPTED; ++times) {
                    if (times % 3 == 0) {
                        status = ezr_leave(engine, result.id);
                        if (status == EZR_BUSY) ++busy;
                        CHECK(status == EZR_OK || status == EZR_BUSY);
                        break;
                    }
                    status = ezr_resume(engine, result.id, &result);
                    if (status == EZR_OK) CHECK(job.is_done());
                }
                CHECK(status == EZR_OK || status == EZR_BUSY);
            }
            --running;
        });
    }
    while (running > 0) {
        for (std::thread &thread : threads) pthread_kill(thread.native_handle(), SIGUSR1);
        std::this_thread::yield();
    }
    for (std::thread &thread : threads) thread.join();
    for (int i = 0; i < busy; ++i) next(engine, EZR_RELEASED);
    ezr_close(engine, 0);
    next(engine, EZR_CLOSED);
    CHECK_EQ(runtime.overlaps(), 0);
}
