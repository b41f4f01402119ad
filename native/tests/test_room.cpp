/* SPDX-License-Identifier: Apache-2.0 */
/* EZR_ROOM: notifies a host that must not block that it may submit. */
#include <atomic>
#include <thread>

#include "tests/check.h"
#include "tests/fake_runtime.h"

using namespace ez_rknn::tests;

namespace {

/* Fills the queue of a hanging context. */
void fill(FakeRuntime &runtime, ezr_engine *engine, std::vector<Job> &jobs) {
    queue_up(runtime, engine, jobs);
    Job refused;
    CHECK_EQ(ezr_submit(engine, refused, 0), int64_t{EZR_TIMEOUT});
}

}  // namespace

/* Existing room is announced at once, and only once. */
TEST(existing_room_is_announced_at_once) {
    FakeRuntime runtime;
    TestEngine engine({1, 1, {0}});
    ezr_notify_room(engine);
    ezr_notify_room(engine);
    ezr_result result{};
    result.id = 77;
    CHECK_EQ(ezr_next_completion(engine, 0, &result), EZR_ROOM);
    CHECK_EQ(result.id, int64_t{77});
    CHECK_EQ(ezr_next_completion(engine, 0, &result), EZR_TIMEOUT);
}

/* A host that did not ask is not notified. */
TEST(room_is_announced_only_on_request) {
    FakeRuntime runtime;
    TestEngine engine({1, 1, {0}, 1});
    std::vector<Job> jobs(2);
    fill(runtime, engine, jobs);
    runtime.let_go(context_of(0));
    for (size_t i = 0; i < 2; ++i) next(engine);
    ezr_result result{};
    CHECK_EQ(ezr_next_completion(engine, 0, &result), EZR_TIMEOUT);
}

/* New room wakes a sleeping collector; the submission after it succeeds. */
TEST(room_that_appears_wakes_the_collector) {
    for (int round = 0; round < 200; ++round) {
        FakeRuntime runtime;
        TestEngine engine({1, 1, {0}, 1});
        std::vector<Job> jobs(2);
        fill(runtime, engine, jobs);
        ezr_notify_room(engine);
        ezr_result result{};
        CHECK_EQ(ezr_next_completion(engine, 0, &result), EZR_TIMEOUT);
        Job late;
        std::atomic<bool> is_told{false};
        std::thread collector([&] {
            ezr_result mine{};
            int completions = 0;
            while (completions < 3) {
                const int32_t status = ezr_next_completion(engine, -1, &mine);
                if (status == EZR_OK) ++completions;
                if (status != EZR_ROOM) continue;
                CHECK_EQ(ezr_submit(engine, late, 0), int64_t{2});
                is_told = true;
            }
        });
        runtime.let_go(context_of(0));
        collector.join();
        CHECK(is_told.load());
    }
}

/* Blocking runs of other threads end without a completion; the room that they leave is announced all the same. */
TEST(room_left_by_runs_is_announced) {
    for (int round = 0; round < 200; ++round) {
        FakeRuntime runtime;
        TestEngine engine({1, 1, {0}, 1});
        check_that_room_left_by_runs_is_announced(runtime, engine);
    }
}

/* Collected completions make room too. */
TEST(room_among_the_completions_is_announced) {
    FakeRuntime runtime;
    TestEngine engine({1, 1, {0}, 8, 1});
    Job jobs[2], run;
    ezr_result result{};
    ezr_submit(engine, jobs[0], 0);
    CHECK_EQ(ezr_run(engine, run, -1, 0, &result), EZR_OK);  // queues behind it
    CHECK_EQ(ezr_submit(engine, jobs[1], 0), int64_t{EZR_TIMEOUT});
    ezr_notify_room(engine);
    next(engine, EZR_OK);
    next(engine, EZR_ROOM);
    CHECK(ezr_submit(engine, jobs[1], 0) >= 0);
    next(engine);
}

/* A free place serves both the thread in line and the host that asked: the request holds no one up, and is not
 * forgotten when another takes the place. */
TEST(a_place_serves_the_line_and_the_request) {
    for (int round = 0; round < 200; ++round) {
        FakeRuntime runtime;
        TestEngine engine({1, 1, {0}, 1});
        std::vector<Job> jobs(2);
        Job in_line, asked;
        fill(runtime, engine, jobs);
        std::thread submitter([&] { CHECK_EQ(ezr_submit(engine, in_line, -1), int64_t{2}); });
        ezr_notify_room(engine);
        runtime.step(context_of(0));
        runtime.wait_until_held(context_of(0));
        submitter.join();
        runtime.let_go(context_of(0));
        int completions = 0, rooms = 0;
        while (completions < 3 || rooms < 1) {
            ezr_result result{};
            const int32_t status = ezr_next_completion(engine, -1, &result);
            completions += status == EZR_OK;
            rooms += status == EZR_ROOM;
        }
        CHECK_EQ(rooms, 1);
    }
}

/* Threads that are always in line cannot starve the host that asks: its submission passes them, once. */
TEST(a_host_that_asks_is_not_starved_by_threads_in_line) {
    FakeRuntime runtime;
    TestEngine engine({1, 1, {0}, 1});
    std::atomic<bool> is_over{false};
    std::vector<std::thread> callers;
    for (int t = 0; t < 5; ++t) {
        callers.emplace_back([&] {
            Job job;
            ezr_result result{};
            while (!is_over) CHECK_EQ(ezr_run(engine, job, -1, 0, &result), EZR_OK);
        });
    }
    constexpr int task_count = 200;
    std::vector<Job> jobs(task_count);
    for (Job &job : jobs) {
        int64_t id = ezr_submit(engine, job, 0);
        if (id == EZR_TIMEOUT) {
            ezr_notify_room(engine);
            next(engine, EZR_ROOM);
            id = ezr_submit(engine, job, 0);
        }
        CHECK(id >= 0);
        CHECK_EQ(next(engine).id, id);
    }
    is_over = true;
    for (std::thread &caller : callers) caller.join();
}

/* The right to pass is for one submission only. */
TEST(only_one_submission_passes) {
    FakeRuntime runtime;
    TestEngine engine({1, 1, {0}, 1});
    Job first, jobs[4];
    runtime.occupy(engine, first);
    ezr_notify_room(engine);
    next(engine, EZR_ROOM);
    CHECK(ezr_submit(engine, jobs[0], -1) > 0);  // a submission that may wait takes the room, but not the right
    CHECK(ezr_submit(engine, jobs[1], 0) > 0);
    CHECK_EQ(ezr_submit(engine, jobs[2], 0), int64_t{EZR_TIMEOUT});
    CHECK_EQ(stats_of(engine).queued, 2U);
    runtime.let_go(context_of(0));
    for (size_t i = 0; i < 3; ++i) next(engine);
}

/* Closing is an answer too: the host that asked is notified, submits, and learns of it. */
TEST(closing_answers_a_request) {
    FakeRuntime runtime;
    TestEngine engine({1, 1, {0}, 1});
    std::vector<Job> jobs(2);
    fill(runtime, engine, jobs);
    ezr_notify_room(engine);
    ezr_close(engine, 0);
    next(engine, EZR_ROOM);
    CHECK_EQ(ezr_submit(engine, jobs[0], 0), int64_t{EZR_CLOSED});
    runtime.let_go(context_of(0));
    for (size_t i = 0; i < 2; ++i) next(engine);
    ezr_notify_room(engine);
    next(engine, EZR_ROOM);
    next(engine, EZR_CLOSED);
}

/* Submitters, runs, cancellations and a host that never blocks, all at once: none waits forever. */
TEST(room_under_stress) {
    FakeRuntime runtime;
    TestEngine engine({2, 1, {0, 1}, 1, 2});
    constexpr int runs_each = 1000;
    std::vector<Job> hosts(runs_each), natives(runs_each);
    std::vector<std::thread> threads;
    threads.emplace_back([&] {
        for (Job &job : natives) CHECK(ezr_submit(engine, job, -1) >= 0);
    });
    threads.emplace_back([&] {
        for (int i = 0; i < runs_each; ++i) {
            Job job;
            ezr_result result{};
            ezr_run(engine, job, i % 3 - 1, 0, &result);
        }
    });
    // The host: one thread that submits, collects and asks, and waits only for the next completion or notice.
    size_t submitted = 0, completed = 0;
    bool is_asking = false;
    while (completed < 2 * runs_each) {
        while (!is_asking && submitted < hosts.size()) {
            const int64_t id = ezr_submit(engine, hosts[submitted], 0);
            is_asking = id == EZR_TIMEOUT;
            if (is_asking) ezr_notify_room(engine);
            if (id >= 0) {
                ++submitted;
                if (submitted % 4 == 0) ezr_cancel(engine, id);
            }
        }
        ezr_result result{};
        const int32_t status = ezr_next_completion(engine, -1, &result);
        if (status == EZR_ROOM) is_asking = false;
        if (status == EZR_OK) ++completed;
    }
    for (std::thread &thread : threads) thread.join();
    CHECK_EQ(submitted, hosts.size());
}
