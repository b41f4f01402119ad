/* SPDX-License-Identifier: Apache-2.0 */
/* Cancelled tasks, and unordered tasks. */
#include <atomic>
#include <thread>

#include "tests/check.h"
#include "tests/fake_runtime.h"

using namespace ez_rknn::tests;

/* A cancelled task never reaches the NPU, and its completion says so in its place in the order. */
TEST(a_waiting_task_is_cancelled) {
    for (uint8_t dispatch : {uint8_t{EZR_DISPATCH_MODULO}, uint8_t{EZR_DISPATCH_LEAST_LOADED}}) {
        FakeRuntime runtime;
        TestEngine engine({1, 1, {0}, 8, 64, true, dispatch});
        std::vector<Job> jobs(4);
        queue_up(runtime, engine, jobs);
        CHECK_EQ(ezr_cancel(engine, 2), EZR_OK);
        CHECK_EQ(ezr_cancel(engine, 2), EZR_INVALID);
        runtime.let_go(context_of(0));
        for (int64_t id = 0; id < 4; ++id) {
            const ezr_result result = next(engine);
            CHECK_EQ(result.id, id);
            CHECK_EQ(result.code, id == 2 ? EZR_CANCELLED : RKNN_SUCC);
            CHECK_EQ(result.call, EZR_CALL_NONE);
            CHECK_EQ(result.worker == UINT32_MAX, id == 2);
        }
        CHECK(!jobs[2].is_done());
        CHECK_EQ(runtime.run_count(context_of(0)), 3U);
        CHECK_EQ(stats_of(engine).cancelled, 1U);
        CHECK_EQ(stats_of(engine).completed, 3U);
        CHECK_EQ(stats_of(engine).failed, 0U);
    }
}

/* Running, ended and unknown tasks cannot be cancelled, and are not affected. */
TEST(only_waiting_tasks_are_cancelled) {
    FakeRuntime runtime;
    TestEngine engine({1, 1, {0}});
    std::vector<Job> jobs(1);
    queue_up(runtime, engine, jobs);
    for (int64_t id : {-1, 0, 1}) CHECK_EQ(ezr_cancel(engine, id), EZR_INVALID);
    runtime.let_go(context_of(0));
    CHECK_EQ(next(engine).code, RKNN_SUCC);
    CHECK_EQ(ezr_cancel(engine, 0), EZR_INVALID);
}

/* A blocking run belongs to the thread that waits for it. */
TEST(a_run_is_not_cancelled) {
    FakeRuntime runtime;
    TestEngine engine({1, 1, {0}});
    std::vector<Job> jobs(1);
    queue_up(runtime, engine, jobs);
    Job run;
    std::thread caller([&] {
        ezr_result result{};
        CHECK_EQ(ezr_run(engine, run, -1, 0, &result), EZR_OK);
    });
    wait_until_queued(engine, 1);
    CHECK_EQ(ezr_cancel(engine, 1), EZR_INVALID);
    runtime.let_go(context_of(0));
    caller.join();
    CHECK(run.is_done());
    next(engine);
}

/* A cancelled task makes room: a submitter waiting in line is admitted. */
TEST(cancelling_makes_room) {
    FakeRuntime runtime;
    TestEngine engine({1, 1, {0}, 1});
    std::vector<Job> jobs(2);
    queue_up(runtime, engine, jobs);
    Job late;
    std::thread submitter([&] { CHECK_EQ(ezr_submit(engine, late, -1), int64_t{2}); });
    CHECK_EQ(ezr_cancel(engine, 1), EZR_OK);
    submitter.join();
    runtime.let_go(context_of(0));
    for (size_t i = 0; i < 3; ++i) next(engine);
    CHECK(late.is_done());
}

/* The only core was promised to the cancelled task; it takes a task from the common queue instead, for which no one
 * else would wake it. */
TEST(cancelling_frees_the_promised_core) {
    FakeRuntime runtime;
    TestEngine engine({1, 1, {0}, 8, 64, true, EZR_DISPATCH_LEAST_LOADED});
    for (int round = 0; round < 500; ++round) {
        Job jobs[2];
        int64_t ids[2];
        for (int i = 0; i < 2; ++i) ids[i] = ezr_submit(engine, jobs[i], -1);
        const bool cancelled = ezr_cancel(engine, ids[0]) == EZR_OK;
        for (int i = 0; i < 2; ++i) CHECK_EQ(next(engine).code, i == 0 && cancelled ? EZR_CANCELLED : RKNN_SUCC);
    }
}

/* The last task of a closed engine may be cancelled; collectors and threads then learn of the end. */
TEST(cancelling_the_last_task_ends_a_closed_engine) {
    FakeRuntime runtime;
    TestEngine engine({1, 1, {0}});
    std::vector<Job> jobs(2);
    queue_up(runtime, engine, jobs);
    ezr_close(engine, 0);
    CHECK_EQ(ezr_cancel(engine, 1), EZR_OK);
    runtime.let_go(context_of(0));
    for (size_t i = 0; i < 2; ++i) next(engine);
    ezr_result result{};
    CHECK_EQ(ezr_next_completion(engine, -1, &result), EZR_CLOSED);
    engine.destroy();
}

/* Cancelling races with the workers: each task is either run or cancelled, never both and never neither. */
TEST(each_task_is_run_or_cancelled) {
    FakeRuntime runtime;
    TestEngine engine({2, 2, {0, 1}, 4, 64, true});
    constexpr int64_t task_count = 4000;
    std::vector<Job> jobs(task_count);
    std::vector<std::atomic<bool>> cancelled(task_count);
    std::atomic<int64_t> newest{-1};
    std::atomic<bool> is_over{false};
    std::vector<std::thread> cancellers;
    for (int t = 0; t < 2; ++t) {
        cancellers.emplace_back([&] {
            while (!is_over) {
                const int64_t id = newest;
                if (id >= 0 && ezr_cancel(engine, id) == EZR_OK) CHECK(!cancelled[id].exchange(true));
            }
        });
    }
    std::thread submitter([&] {
        for (Job &job : jobs) newest = ezr_submit(engine, job, -1);
    });
    std::vector<int32_t> codes;
    for (int64_t id = 0; id < task_count; ++id) {
        const ezr_result result = next(engine);
        CHECK_EQ(result.id, id);
        codes.push_back(result.code);
    }
    submitter.join();
    is_over = true;
    for (std::thread &canceller : cancellers) canceller.join();
    for (int64_t id = 0; id < task_count; ++id) {
        CHECK_EQ(codes[id], cancelled[id] ? EZR_CANCELLED : RKNN_SUCC);
        CHECK_EQ(jobs[id].is_done(), !cancelled[id]);
    }
}

/* In an ordered engine, a task may stand outside the order: it is given out as soon as it ends, and holds no other
 * up. */
TEST(an_unordered_task_passes_the_order) {
    FakeRuntime runtime;
    TestEngine engine({2, 1, {0, 1}});
    Job slow, ordered, free_standing, late;
    free_standing.task.unordered = 1;
    runtime.hold(context_of(0));
    CHECK_EQ(ezr_submit(engine, slow, 0), int64_t{0});
    CHECK_EQ(ezr_submit(engine, free_standing, 0), int64_t{1});
    CHECK_EQ(next(engine).id, int64_t{1});
    CHECK_EQ(ezr_submit(engine, late, 0), int64_t{2});
    CHECK_EQ(ezr_submit(engine, ordered, 0), int64_t{3});
    ezr_result result{};
    CHECK_EQ(ezr_next_completion(engine, 0, &result), EZR_TIMEOUT);
    runtime.let_go(context_of(0));
    for (int64_t id : {0, 2, 3}) CHECK_EQ(next(engine).id, id);
}

/* Ordered and unordered tasks come as they finished: neither can starve the other. */
TEST(unordered_tasks_do_not_starve_ordered_ones) {
    FakeRuntime runtime;
    TestEngine engine({1, 1, {0}});
    Job jobs[6], run;
    for (int i = 0; i < 6; ++i) {
        jobs[i].task.unordered = i % 2;
        ezr_submit(engine, jobs[i], -1);
    }
    ezr_result result{};
    CHECK_EQ(ezr_run(engine, run, -1, 0, &result), EZR_OK);  // queues behind them all
    for (int64_t id = 0; id < 6; ++id) CHECK_EQ(next(engine).id, id);
}
