/* SPDX-License-Identifier: Apache-2.0 */
/* Full queues and full completions. */
#include <thread>

#include "tests/check.h"
#include "tests/fake_runtime.h"

using namespace ez_rknn::tests;

namespace {

/* Fills a core: one hanging task on its context, and `queued` waiting tasks. */
void fill(FakeRuntime &runtime, ezr_engine *engine, Job *jobs, uint32_t queued) {
    runtime.occupy(engine, jobs[0]);
    for (uint32_t i = 1; i <= queued; ++i) CHECK_EQ(ezr_submit(engine, jobs[i], 0), int64_t{i});
}

}  // namespace

/* The queue holds its capacity besides the running task; then a submission times out, and later ones succeed. */
TEST(a_full_queue_refuses_and_recovers) {
    FakeRuntime runtime;
    TestEngine engine({1, 1, {0}, 2});
    Job jobs[5];
    fill(runtime, engine, jobs, 2);
    CHECK_EQ(ezr_submit(engine, jobs[3], 0), int64_t{EZR_TIMEOUT});
    CHECK_EQ(ezr_submit(engine, jobs[3], 1), int64_t{EZR_TIMEOUT});
    runtime.let_go(context_of(0));
    CHECK_EQ(ezr_submit(engine, jobs[4], -1), int64_t{3});
    for (int64_t id = 0; id < 4; ++id) CHECK_EQ(next(engine).id, id);
    CHECK(!jobs[3].is_done());
    CHECK(jobs[4].is_done());
}

/* A submission that timed out has no id, so the schedule continues where it was. */
TEST(a_timed_out_submission_leaves_no_gap) {
    FakeRuntime runtime;
    TestEngine engine({2, 1, {0, 1}, 1});
    Job jobs[8];
    for (uint32_t core : {0U, 1U}) runtime.hold(context_of(core));
    for (int64_t id : {0, 1}) CHECK_EQ(ezr_submit(engine, jobs[id], 0), id);
    for (uint32_t core : {0U, 1U}) runtime.wait_until_held(context_of(core));
    for (int64_t id : {2, 3}) CHECK_EQ(ezr_submit(engine, jobs[id], 0), id);
    for (int attempt = 0; attempt < 3; ++attempt) CHECK_EQ(ezr_submit(engine, jobs[7], 0), int64_t{EZR_TIMEOUT});
    for (uint32_t core : {0U, 1U}) runtime.let_go(context_of(core));
    for (int64_t id : {4, 5}) CHECK_EQ(ezr_submit(engine, jobs[id], -1), id);
    for (int64_t id = 0; id < 6; ++id) {
        const ezr_result result = next(engine);
        CHECK_EQ(result.id, id);
        CHECK_EQ(result.group, static_cast<uint32_t>(id % 2));
    }
}

/* The next task belongs to the full core, so submission waits for that one although the other is idle. */
TEST(submission_waits_for_the_core_whose_turn_it_is) {
    FakeRuntime runtime;
    TestEngine engine({2, 1, {0, 0, 0, 1}, 1});
    Job jobs[4];
    fill(runtime, engine, jobs, 1);
    CHECK_EQ(ezr_submit(engine, jobs[2], 0), int64_t{EZR_TIMEOUT});
    runtime.let_go(context_of(0));
    for (int64_t id : {2, 3}) CHECK_EQ(ezr_submit(engine, jobs[id], -1), id);
    for (int64_t id = 0; id < 4; ++id) CHECK_EQ(next(engine).group, id == 3 ? 1U : 0U);
}

/* Uncollected completions hold submission back; collecting one admits one more task. */
TEST(uncollected_completions_hold_submission_back) {
    FakeRuntime runtime;
    TestEngine engine({1, 1, {0}, 8, 2});
    Job jobs[4];
    for (int64_t id : {0, 1}) CHECK_EQ(ezr_submit(engine, jobs[id], 0), id);
    // The blocking run queues behind both: when it returns they have finished.
    Job run;
    ezr_result result{};
    CHECK_EQ(ezr_run(engine, run, -1, 0, &result), EZR_OK);
    CHECK_EQ(ezr_submit(engine, jobs[2], 0), int64_t{EZR_TIMEOUT});
    std::thread blocked([&] { CHECK_EQ(ezr_submit(engine, jobs[2], -1), int64_t{3}); });
    CHECK_EQ(next(engine).id, int64_t{0});
    blocked.join();
    for (int64_t id : {1, 3}) CHECK_EQ(next(engine).id, id);
}

/* A blocking run needs no completion, so a collector may run a task while submitters wait for it to collect. */
TEST(run_passes_submitters_who_wait_for_the_collector) {
    FakeRuntime runtime;
    TestEngine engine({1, 1, {0}, 8, 1});
    Job jobs[2], run;
    ezr_result result{};
    CHECK_EQ(ezr_submit(engine, jobs[0], 0), int64_t{0});
    CHECK_EQ(ezr_run(engine, run, -1, 0, &result), EZR_OK);
    std::thread submitter([&] { CHECK(ezr_submit(engine, jobs[1], -1) > 0); });
    for (int i = 0; i < 100; ++i) CHECK_EQ(ezr_run(engine, run, -1, 0, &result), EZR_OK);
    for (size_t i = 0; i < 2; ++i) next(engine);
    submitter.join();
}

/* With room for only one completion, tasks that finish early wait for an earlier one, yet nothing is stuck: that one
 * was accepted before them. */
TEST(ordered_completions_cannot_deadlock_on_their_capacity) {
    FakeRuntime runtime;
    TestEngine engine({2, 1, {0, 1}, 1, 1, true});
    Job jobs[5];
    // Task 0 hangs; task 1 finishes, takes the only place, and cannot be given out before task 0.
    runtime.hold(context_of(0));
    for (int64_t id : {0, 1}) CHECK_EQ(ezr_submit(engine, jobs[id], 0), id);
    runtime.wait_until_held(context_of(0));
    ezr_group_stats stats[2]{};
    while (stats[1].completed == 0) ezr_stats(engine, stats, nullptr);
    CHECK_EQ(ezr_submit(engine, jobs[2], 0), int64_t{EZR_TIMEOUT});
    std::thread submitter([&] {
        for (int64_t id : {2, 3, 4}) CHECK_EQ(ezr_submit(engine, jobs[id], -1), id);
    });
    runtime.let_go(context_of(0));
    for (int64_t id = 0; id < 5; ++id) CHECK_EQ(next(engine).id, id);
    submitter.join();
}

/* A run that no worker takes up in time is withdrawn: it never reaches the NPU, and later tasks are not affected. */
TEST(a_run_that_times_out_is_withdrawn) {
    FakeRuntime runtime;
    TestEngine engine({1, 1, {0}, 2});
    Job jobs[3], late(7);
    fill(runtime, engine, jobs, 1);
    ezr_result result{};
    CHECK_EQ(ezr_run(engine, late, 0, 0, &result), EZR_TIMEOUT);
    CHECK_EQ(ezr_run(engine, late, 1, 0, &result), EZR_TIMEOUT);
    runtime.let_go(context_of(0));
    CHECK(ezr_submit(engine, jobs[2], -1) > 0);
    for (size_t i = 0; i < 3; ++i) CHECK_EQ(next(engine).code, RKNN_SUCC);
    for (const Run &run : runtime.runs()) CHECK(run.number != 7);
    CHECK(!late.is_done());
}

/* A run that is withdrawn leaves its place to the first in line. */
TEST(a_withdrawn_run_makes_room) {
    FakeRuntime runtime;
    TestEngine engine({1, 1, {0}, 1});
    Job jobs[2], late;
    fill(runtime, engine, jobs, 0);
    std::thread withdrawn([&] {
        ezr_result result{};
        CHECK_EQ(ezr_run(engine, late, 100, 0, &result), EZR_TIMEOUT);
    });
    wait_until_queued(engine, 1);
    CHECK_EQ(ezr_submit(engine, jobs[1], -1), int64_t{2});
    withdrawn.join();
    runtime.let_go(context_of(0));
    for (int64_t id : {0, 2}) CHECK_EQ(next(engine).id, id);
}

/* A run that found the queue full waits for a place, and times out without an id. */
TEST(a_run_waits_for_a_place_in_a_full_queue) {
    FakeRuntime runtime;
    TestEngine engine({1, 1, {0}, 1});
    Job jobs[2], late;
    fill(runtime, engine, jobs, 1);
    ezr_result result{};
    CHECK_EQ(ezr_run(engine, late, 0, 0, &result), EZR_TIMEOUT);
    std::thread waiting([&] { CHECK_EQ(ezr_run(engine, late, -1, 0, &result), EZR_OK); });
    runtime.let_go(context_of(0));
    waiting.join();
    CHECK_EQ(result.id, int64_t{2});
    CHECK(late.is_done());
}

/* The timeout covers only the queue: a task that a worker has taken up is waited for, however long it runs. */
TEST(a_run_that_was_taken_up_is_waited_for) {
    FakeRuntime runtime;
    TestEngine engine({1, 1, {0}, 2});
    Job first, second(1);
    runtime.occupy(engine, first);
    ezr_result result{};
    int32_t status = EZR_INVALID;
    std::thread waiting([&] { status = ezr_run(engine, second, 60'000, 0, &result); });
    // Only a queued task shows in the statistics; then it is the next to be taken up.
    ezr_group_stats stats{};
    while (stats.queued == 0) ezr_stats(engine, &stats, nullptr);
    runtime.step(context_of(0));
    runtime.wait_until_held(context_of(0));
    runtime.let_go(context_of(0));
    waiting.join();
    CHECK_EQ(status, EZR_OK);
    CHECK(second.is_done());
}

/* Many waiting submitters all succeed, each exactly once, with consecutive ids. */
TEST(every_blocked_submitter_gets_its_turn) {
    FakeRuntime runtime;
    TestEngine engine({2, 1, {0, 1, 1}, 1, 4});
    constexpr int thread_count = 8, runs_each = 200;
    std::vector<Job> jobs(thread_count * runs_each);
    std::vector<std::thread> threads;
    for (int t = 0; t < thread_count; ++t) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < runs_each; ++i) CHECK(ezr_submit(engine, jobs[t * runs_each + i], -1) >= 0);
        });
    }
    for (int64_t id = 0; id < thread_count * runs_each; ++id) CHECK_EQ(next(engine).id, id);
    for (std::thread &thread : threads) thread.join();
    for (const Job &job : jobs) CHECK(job.is_done());
}

/* It is for hosts that must not block: no room, no waiting. */
TEST(an_attempt_to_submit_does_not_wait) {
    FakeRuntime runtime;
    TestEngine engine({1, 1, {0}, 2});
    Job jobs[4];
    fill(runtime, engine, jobs, 1);
    CHECK_EQ(ezr_try_submit(engine, jobs[2]), int64_t{2});
    CHECK_EQ(ezr_try_submit(engine, jobs[3]), int64_t{EZR_TIMEOUT});
    runtime.let_go(context_of(0));
    for (int64_t id = 0; id < 3; ++id) CHECK_EQ(next(engine).id, id);
    CHECK_EQ(ezr_try_submit(engine, jobs[3]), int64_t{3});
    CHECK_EQ(next(engine).id, int64_t{3});
    ezr_close(engine, 0);
    CHECK_EQ(ezr_try_submit(engine, jobs[3]), int64_t{EZR_CLOSED});
}

/* EZR_ROOM lets one ezr_submit without a timeout pass; another submitter must not take its place. */
TEST(an_attempt_to_submit_leaves_granted_room_alone) {
    FakeRuntime runtime;
    TestEngine engine({1, 1, {0}, 1, 1});
    Job jobs[3];
    fill(runtime, engine, jobs, 1);
    ezr_notify_room(engine);
    runtime.let_go(context_of(0));
    ezr_result result{};
    for (int completions = 0, rooms = 0; completions < 2 || rooms < 1;) {
        const int32_t status = ezr_next_completion(engine, -1, &result);
        completions += status == EZR_OK ? 1 : 0;
        rooms += status == EZR_ROOM ? 1 : 0;
    }
    CHECK(ezr_try_submit(engine, jobs[1]) >= 0);
    CHECK(ezr_submit(engine, jobs[2], 0) >= 0);
    for (int i = 0; i < 2; ++i) next(engine);
}

/* While tasks are queued a finished one may wait for others to finish; but not for one that hangs. */
TEST(a_completion_does_not_wait_for_a_task_that_hangs) {
    FakeRuntime runtime;
    TestEngine engine({1, 1, {0}, 8});
    Job jobs[6];
    CHECK_EQ(ezr_submit(engine, jobs[5], 0), int64_t{0});  // until one has ended, the engine does not know how long
    next(engine);
    runtime.occupy(engine, jobs[0]);
    for (int i = 1; i < 5; ++i) CHECK(ezr_submit(engine, jobs[i], 0) > 0);
    for (int64_t id = 1; id < 4; ++id) {
        std::thread other([&] { runtime.step(context_of(0)); });
        CHECK_EQ(next(engine).id, id);
        other.join();
        runtime.wait_until_held(context_of(0));
    }
    runtime.let_go(context_of(0));
    for (int64_t id = 4; id < 6; ++id) CHECK_EQ(next(engine).id, id);
}

/* A submitter is woken for several places at a time, and no later than a context would be idle. */
TEST(a_submitter_does_not_sleep_while_a_context_is_idle) {
    FakeRuntime runtime;
    TestEngine engine({2, 1, {0, 0, 1}, 4});
    constexpr int count = 300;
    std::vector<Job> jobs(count);
    std::thread submitter([&] {
        for (Job &job : jobs) CHECK(ezr_submit(engine, job, -1) >= 0);
    });
    for (int64_t id = 0; id < count; ++id) CHECK_EQ(next(engine).id, id);
    submitter.join();
}
