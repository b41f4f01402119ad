/* SPDX-License-Identifier: Apache-2.0 */
/* Pacing: tasks are admitted at the rate at which the contexts finish them. Its subject is time, so runs take some
 * here: a test holds the context for as long as it needs. */
#include <atomic>
#include <chrono>
#include <thread>

#include "engine/pace.h"
#include "tests/check.h"
#include "tests/fake_runtime.h"

using namespace ez_rknn::tests;
using namespace ez_rknn::engine;

namespace {

Layout paced(uint32_t cores = 1, std::vector<uint32_t> routes = {0}) {
    Layout layout;
    layout.cores = cores;
    layout.routes = std::move(routes);
    layout.pacing = true;
    return layout;
}

/* Runs one task that occupies its context for at least `duration`. Returns its result, with its admission and its
 * duration. */
ezr_result run_for(FakeRuntime &runtime, ezr_engine *engine, std::chrono::milliseconds duration) {
    Job job;
    runtime.occupy(engine, job);
    std::this_thread::sleep_for(duration);
    runtime.let_go(context_of(0));
    return next(engine);
}

constexpr std::chrono::milliseconds run_time{200};
constexpr int64_t run_time_ns = 200'000'000;

}  // namespace

/* The rule itself: a context is occupied for t, so n of them are ready for a task every t / n. */
TEST(the_pace_is_the_time_of_a_task_over_the_number_of_contexts) {
    Pace pace(true);
    pace.admitted(1'000);
    CHECK(!(Deadline::at(0) < pace.due(4)));  // nothing is known yet
    pace.occupied(800);
    CHECK(!(pace.due(4) < Deadline::at(1'200)) && !(Deadline::at(1'200) < pace.due(4)));
    pace.occupied(1'600);  // the average follows: 900
    CHECK(!(pace.due(1) < Deadline::at(1'900)) && !(Deadline::at(1'900) < pace.due(1)));
    Pace none(false);
    none.admitted(1'000);
    none.occupied(800);
    CHECK(!(Deadline::at(0) < none.due(1)));
}

/* The second submission after a long task waits until that task's duration has passed since the first. */
TEST(a_submission_waits_for_its_pace) {
    FakeRuntime runtime;
    TestEngine engine(paced());
    CHECK(run_for(runtime, engine, run_time).finished_ns > 0);
    Job jobs[2];
    for (Job &job : jobs) CHECK(ezr_submit(engine, job, -1) > 0);
    const ezr_result first = next(engine), second = next(engine);
    // The first of the two was short, and has lowered the average by an eighth at most.
    CHECK(second.submitted_ns - first.submitted_ns >= run_time_ns * 7 / 8);
}

/* More contexts sustain a higher rate. */
TEST(more_contexts_are_paced_faster) {
    FakeRuntime runtime;
    TestEngine engine(paced(4, {0, 0, 0, 0, 0, 1, 2, 3}));
    run_for(runtime, engine, run_time);
    Job jobs[2];
    for (Job &job : jobs) CHECK(ezr_submit(engine, job, -1) > 0);
    const ezr_result first = next(engine), second = next(engine);
    CHECK(second.submitted_ns - first.submitted_ns >= run_time_ns / 4 * 7 / 8);
    CHECK(second.submitted_ns - first.submitted_ns < run_time_ns);
}

/* Waiting for the pace ends with the submission's timeout, for a blocking run too. */
TEST(pacing_keeps_the_timeout) {
    FakeRuntime runtime;
    TestEngine engine(paced());
    run_for(runtime, engine, run_time);
    Job jobs[2];
    ezr_result result{};
    CHECK(ezr_submit(engine, jobs[0], -1) > 0);
    CHECK_EQ(ezr_submit(engine, jobs[1], 0), int64_t{EZR_TIMEOUT});
    CHECK_EQ(ezr_submit(engine, jobs[1], 1), int64_t{EZR_TIMEOUT});
    CHECK_EQ(ezr_run(engine, jobs[1], 1, 0, &result), EZR_TIMEOUT);
    next(engine);
}

/* A waiter that gives up has watched the clock for all; the next one takes over. */
TEST(a_waiter_that_gives_up_leaves_the_clock_to_the_next) {
    FakeRuntime runtime;
    TestEngine engine(paced());
    run_for(runtime, engine, run_time);
    Job jobs[3];
    CHECK(ezr_submit(engine, jobs[0], -1) > 0);
    std::atomic<bool> is_waiting{false};
    std::thread impatient([&] {
        is_waiting = true;
        CHECK_EQ(ezr_submit(engine, jobs[1], 50), int64_t{EZR_TIMEOUT});
    });
    while (!is_waiting) std::this_thread::yield();
    CHECK(ezr_submit(engine, jobs[2], -1) > 0);
    impatient.join();
    for (size_t i = 0; i < 2; ++i) next(engine);
}

/* Without pacing the rate is not limited. */
TEST(without_pacing_nothing_waits) {
    FakeRuntime runtime;
    TestEngine engine(Layout{});
    run_for(runtime, engine, run_time);
    Job jobs[2];
    for (Job &job : jobs) CHECK(ezr_submit(engine, job, 0) > 0);
    for (size_t i = 0; i < 2; ++i) next(engine);
}

/* The queue is full when the host asks. Once it is not, only the pace holds the task back, and the collector, asleep
 * until then without a deadline, has to watch the clock. No completion wakes it: the others are blocking runs. */
TEST(room_in_a_full_queue_is_announced_when_the_pace_is_due) {
    FakeRuntime runtime;
    Layout layout = paced();
    layout.queue_capacity = 1;
    TestEngine engine(layout);
    run_for(runtime, engine, run_time);
    check_that_room_left_by_runs_is_announced(runtime, engine);
}

/* A host that does not block is notified when its pace is due; no other thread is there to watch the clock. */
TEST(room_is_announced_when_the_pace_is_due) {
    FakeRuntime runtime;
    TestEngine engine(paced());
    run_for(runtime, engine, run_time);
    Job jobs[2];
    CHECK(ezr_submit(engine, jobs[0], -1) > 0);
    const ezr_result first = next(engine);
    CHECK_EQ(ezr_submit(engine, jobs[1], 0), int64_t{EZR_TIMEOUT});
    std::thread collector([&] { next(engine, EZR_ROOM); });  // asleep or not when the request comes
    ezr_notify_room(engine);
    collector.join();
    CHECK(ezr_submit(engine, jobs[1], 0) > 0);
    CHECK(next(engine).submitted_ns - first.submitted_ns >= run_time_ns * 7 / 8);
}
