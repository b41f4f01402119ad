/* SPDX-License-Identifier: Apache-2.0 */
/* The beginning and end of engines. */
#include <algorithm>
#include <atomic>
#include <thread>

#include "tests/check.h"
#include "tests/fake_runtime.h"

using namespace ez_rknn::tests;

/* Closing without discarding: accepted tasks are run and given out before the end. */
TEST(close_drains) {
    FakeRuntime runtime;
    TestEngine engine({2, 1, {0, 1}});
    std::vector<Job> jobs(10);
    runtime.hold(context_of(0));
    for (Job &job : jobs) ezr_submit(engine, job, -1);
    ezr_close(engine, 0);
    CHECK_EQ(ezr_submit(engine, jobs[0], -1), int64_t{EZR_CLOSED});
    ezr_result result{};
    CHECK_EQ(ezr_run(engine, jobs[0], -1, 0, &result), EZR_CLOSED);
    runtime.let_go(context_of(0));
    for (int64_t id = 0; id < 10; ++id) {
        result = next(engine);
        CHECK_EQ(result.id, id);
        CHECK_EQ(result.code, RKNN_SUCC);
    }
    for (int i = 0; i < 2; ++i) CHECK_EQ(ezr_next_completion(engine, -1, &result), EZR_CLOSED);
    for (const Job &job : jobs) CHECK(job.is_done());
}

/* Closing with discarding: running tasks end normally, waiting ones end with an error, and none is lost. */
TEST(close_discards_what_waits) {
    FakeRuntime runtime;
    TestEngine engine({1, 1, {0}});
    std::vector<Job> jobs(4);
    queue_up(runtime, engine, jobs);
    ezr_close(engine, 1);
    runtime.let_go(context_of(0));
    for (int64_t id = 0; id < 4; ++id) {
        const ezr_result result = next(engine);
        CHECK_EQ(result.id, id);
        CHECK_EQ(result.code, id == 0 ? RKNN_SUCC : RKNN_ERR_FAIL);
        CHECK_EQ(result.call, EZR_CALL_NONE);
    }
    ezr_result result{};
    CHECK_EQ(ezr_next_completion(engine, 0, &result), EZR_CLOSED);
    CHECK_EQ(runtime.run_count(context_of(0)), 1U);
}

/* Closing may be repeated; discarding after draining takes the tasks that still wait. */
TEST(close_may_be_repeated) {
    FakeRuntime runtime;
    TestEngine engine({1, 1, {0}});
    std::vector<Job> jobs(2);
    queue_up(runtime, engine, jobs);
    ezr_close(engine, 0);
    ezr_close(engine, 1);
    ezr_close(engine, 0);
    runtime.let_go(context_of(0));
    CHECK_EQ(next(engine).code, RKNN_SUCC);
    CHECK_EQ(next(engine).code, RKNN_ERR_FAIL);
}

/* All waiting threads learn of the end: submitters in both lines, a run in the queue, and the collectors. */
TEST(close_wakes_everyone) {
    for (int round = 0; round < 200; ++round) {
        FakeRuntime runtime;
        TestEngine engine({1, 1, {0}, 1, 1});
        Job running, queued, collected;
        // One finished and uncollected, one running, one queued: submission is blocked by both limits.
        ezr_result result{};
        ezr_submit(engine, collected, -1);
        ezr_run(engine, running, -1, 0, &result);
        runtime.hold(context_of(0));
        std::vector<std::thread> threads;
        threads.emplace_back([&] {
            ezr_result mine{};
            CHECK_EQ(ezr_run(engine, running, -1, 0, &mine), EZR_OK);
            CHECK_EQ(mine.code, RKNN_SUCC);
        });
        runtime.wait_until_held(context_of(0));
        threads.emplace_back([&] {
            ezr_result mine{};
            CHECK_EQ(ezr_run(engine, queued, -1, 0, &mine), EZR_OK);
            CHECK_EQ(mine.code, RKNN_ERR_FAIL);
        });
        ezr_group_stats stats{};
        while (stats.queued == 0) ezr_stats(engine, &stats, nullptr);
        std::vector<Job> refused(6);
        for (size_t i = 0; i < refused.size(); ++i) {
            threads.emplace_back([&, i] {
                ezr_result mine{};
                if (i % 2 == 0) CHECK_EQ(ezr_submit(engine, refused[i], -1), int64_t{EZR_CLOSED});
                if (i % 2 == 1) CHECK_EQ(ezr_run(engine, refused[i], -1, 0, &mine), EZR_CLOSED);
            });
        }
        ezr_close(engine, 1);
        runtime.let_go(context_of(0));
        for (std::thread &thread : threads) thread.join();
        next(engine);
        CHECK_EQ(ezr_next_completion(engine, -1, &result), EZR_CLOSED);
    }
}

/* A collector that sleeps when the engine closes with nothing to give is woken. */
TEST(close_wakes_a_waiting_collector) {
    for (int round = 0; round < 500; ++round) {
        FakeRuntime runtime;
        TestEngine engine({1, 1, {0}});
        std::thread collector([&] {
            ezr_result result{};
            CHECK_EQ(ezr_next_completion(engine, -1, &result), EZR_CLOSED);
        });
        ezr_close(engine, 0);
        collector.join();
    }
}

/* The last completion after closing goes to one collector; the others, asleep, learn that there will be no more. */
TEST(the_last_completion_ends_every_collector_s_wait) {
    for (int round = 0; round < 200; ++round) {
        FakeRuntime runtime;
        TestEngine engine({1, 1, {0}});
        Job job;
        runtime.occupy(engine, job);
        ezr_close(engine, 0);
        std::atomic<int> asking{0}, given{0};
        std::vector<std::thread> collectors;
        for (int i = 0; i < 3; ++i) {
            collectors.emplace_back([&] {
                ezr_result result{};
                ++asking;
                while (ezr_next_completion(engine, -1, &result) == EZR_OK) ++given;
            });
        }
        while (asking < 3) std::this_thread::yield();
        runtime.let_go(context_of(0));
        for (std::thread &collector : collectors) collector.join();
        CHECK_EQ(given.load(), 1);
    }
}

/* Blocking runs hold both contexts when the engine closes. One of the two threads takes up the task that waits; the
 * other must not wait for a second one forever. */
TEST(destroy_ends_threads_that_wait_for_a_context) {
    for (int round = 0; round < 50; ++round) {
        FakeRuntime runtime;
        TestEngine engine({1, 2, {0}});
        Job runs[2], waiting;
        std::vector<std::thread> callers;
        for (uint32_t i = 0; i < 2; ++i) runtime.hold(context_of(0, i));
        for (Job &job : runs) {
            callers.emplace_back([&] {
                ezr_result result{};
                CHECK_EQ(ezr_run(engine, job, -1, 0, &result), EZR_OK);
            });
        }
        for (uint32_t i = 0; i < 2; ++i) runtime.wait_until_held(context_of(0, i));
        CHECK(ezr_submit(engine, waiting, 0) >= 0);
        ezr_close(engine, 0);
        for (uint32_t i = 0; i < 2; ++i) runtime.let_go(context_of(0, i));
        for (std::thread &caller : callers) caller.join();
        engine.destroy();
        CHECK(waiting.is_done());
    }
}

/* A run may still be withdrawn after the engine was closed; then its queue is empty, and its threads must see that. */
TEST(a_run_may_be_withdrawn_from_a_closed_engine) {
    FakeRuntime runtime;
    TestEngine engine({1, 1, {0}});
    Job running, withdrawn;
    runtime.hold(context_of(0));
    std::thread caller([&] {
        ezr_result result{};
        CHECK_EQ(ezr_run(engine, running, -1, 0, &result), EZR_OK);
    });
    runtime.wait_until_held(context_of(0));
    std::atomic<bool> ended{false};
    std::thread late([&] {
        ezr_result result{};
        CHECK_EQ(ezr_run(engine, withdrawn, 100, 0, &result), EZR_TIMEOUT);
        ended = true;
    });
    ezr_group_stats stats{};
    while (stats.queued == 0 && !ended) ezr_stats(engine, &stats, nullptr);
    ezr_close(engine, 0);
    late.join();
    runtime.let_go(context_of(0));
    caller.join();
    engine.destroy();
    CHECK(!withdrawn.is_done());
}

/* Joining waits for the accepted tasks, up to the host's timeout, but only after closing: before, it would never
 * end. */
TEST(join_waits_for_the_accepted_work) {
    FakeRuntime runtime;
    TestEngine engine({2, 1, {0, 1}});
    Job job;
    runtime.occupy(engine, job);
    CHECK_EQ(ezr_join(engine, 0), EZR_INVALID);
    ezr_close(engine, 0);
    CHECK_EQ(ezr_join(engine, 0), EZR_TIMEOUT);
    CHECK_EQ(ezr_join(engine, 1), EZR_TIMEOUT);
    CHECK_EQ(ezr_join(engine, -2), EZR_INVALID);
    std::thread other([&] { runtime.let_go(context_of(0)); });
    CHECK_EQ(ezr_join(engine, -1), EZR_OK);
    CHECK(job.is_done());
    CHECK_EQ(ezr_join(engine, 0), EZR_OK);
    other.join();
}

/* Destroying waits for accepted tasks, collected or not, and leaves no thread. */
TEST(destroy_finishes_and_joins) {
    FakeRuntime runtime;
    std::vector<Job> jobs(50);
    TestEngine engine({3, 2, {0, 1, 2}, 50});
    runtime.hold(context_of(0));
    runtime.hold(context_of(0, 1));
    for (Job &job : jobs) CHECK(ezr_submit(engine, job, -1) >= 0);
    for (uint32_t i = 0; i < 2; ++i) runtime.wait_until_held(context_of(0, i));
    CHECK(engine_threads() >= 2);
    for (uint32_t i = 0; i < 2; ++i) runtime.let_go(context_of(0, i));
    engine.destroy();
    for (const Job &job : jobs) CHECK(job.is_done());
    wait_until_no_engine_threads();
}

/* The shortest life, many times: the race between a thread that falls asleep and the stop that should wake it. */
TEST(twenty_thousand_engines_begin_and_end) {
    FakeRuntime runtime;
    for (int i = 0; i < 20'000; ++i) {
        TestEngine engine({2, 1, {0, 1}});
        Job job;
        if (i % 2 == 0) {
            ezr_result result{};
            CHECK_EQ(ezr_run(engine, job, -1, 0, &result), EZR_OK);
        } else {
            CHECK_EQ(ezr_submit(engine, job, -1), int64_t{0});
        }
        engine.destroy();
        CHECK(job.is_done());
    }
}

/* Signals are for the host's threads: a worker that took one would interrupt a call into the driver. */
TEST(workers_block_every_signal) {
    FakeRuntime runtime;
    TestEngine engine({1, 1, {0}});
    Job job;
    runtime.occupy(engine, job);
    CHECK_EQ(runtime.unblocked_signals(), 0);
    runtime.let_go(context_of(0));
    next(engine);
}
