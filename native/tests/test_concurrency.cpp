/* SPDX-License-Identifier: Apache-2.0 */
/* Many threads on many contexts. */
#include <atomic>
#include <thread>

#include "tests/check.h"
#include "tests/fake_runtime.h"

using namespace ez_rknn::tests;

/* A task waits only for its own core: each core has its queue. */
TEST(a_slow_core_does_not_delay_the_others) {
    FakeRuntime runtime;
    TestEngine engine({3, 1, {0, 1, 2}, 100, 1000, false});
    std::vector<Job> jobs(150);
    runtime.hold(context_of(0));
    for (Job &job : jobs) CHECK(ezr_submit(engine, job, 0) >= 0);
    for (size_t i = 0; i < 100; ++i) CHECK(next(engine).group != 0);
    CHECK(runtime.run_count(context_of(0)) <= 1);
    runtime.let_go(context_of(0));
    for (size_t i = 0; i < 50; ++i) CHECK_EQ(next(engine).group, 0U);
}

/* With two contexts on a core, two tasks are on it at once: the core need not wait while one sets its inputs. */
TEST(two_contexts_of_a_core_run_at_once) {
    FakeRuntime runtime;
    TestEngine engine({1, 2, {0}});
    Job jobs[2];
    for (uint32_t i = 0; i < 2; ++i) runtime.hold(context_of(0, i));
    for (Job &job : jobs) ezr_submit(engine, job, -1);
    for (uint32_t i = 0; i < 2; ++i) runtime.wait_until_held(context_of(0, i));
    for (uint32_t i = 0; i < 2; ++i) runtime.let_go(context_of(0, i));
    for (size_t i = 0; i < 2; ++i) next(engine);
}

/* A blocking run on the caller's thread holds its context: a submitted task waits for it, and then runs. */
TEST(a_submitted_task_follows_an_inline_run) {
    FakeRuntime runtime;
    TestEngine engine({1, 1, {0}});
    Job run(1), submitted(2);
    runtime.hold(context_of(0));
    std::thread caller([&] {
        ezr_result result{};
        CHECK_EQ(ezr_run(engine, run, -1, 0, &result), EZR_OK);
    });
    runtime.wait_until_held(context_of(0));
    CHECK_EQ(ezr_submit(engine, submitted, 0), int64_t{1});
    ezr_group_stats stats{};
    ezr_stats(engine, &stats, nullptr);
    CHECK_EQ(stats.queued, 1U);
    CHECK_EQ(stats.running, 1U);
    runtime.let_go(context_of(0));
    CHECK_EQ(next(engine).id, int64_t{1});
    caller.join();
    CHECK(submitted.is_done());
}

/* A context belongs to one thread at a time, a worker's or a caller's: the vendor's library corrupts data otherwise. */
TEST(a_context_is_never_used_by_two_threads) {
    FakeRuntime runtime;
    TestEngine engine({2, 2, {0, 1, 1}, 4});
    std::vector<Job> jobs(1000);
    std::vector<std::thread> clients;
    for (int t = 0; t < 4; ++t) {
        clients.emplace_back([&, t] {
            Job job(t);
            ezr_result result{};
            for (int i = 0; i < 500; ++i) CHECK_EQ(ezr_run(engine, job, -1, 0, &result), EZR_OK);
        });
    }
    clients.emplace_back([&] {
        for (Job &job : jobs) CHECK(ezr_submit(engine, job, -1) >= 0);
    });
    for (size_t i = 0; i < jobs.size(); ++i) next(engine);
    for (std::thread &client : clients) client.join();
    CHECK_EQ(runtime.overlaps(), 0);
}

/* Eight threads that run on one core each get the outputs of their own inputs, and the ids have no gap. */
TEST(eight_clients_share_a_core) {
    FakeRuntime runtime;
    TestEngine engine({1, 1, {0}, 2});
    constexpr int client_count = 8, runs_each = 500;
    std::atomic<int64_t> sum_of_ids{0};
    std::vector<std::thread> clients;
    for (int t = 0; t < client_count; ++t) {
        clients.emplace_back([&, t] {
            for (int i = 0; i < runs_each; ++i) {
                Job job(t * runs_each + i);
                ezr_result result{};
                CHECK_EQ(ezr_run(engine, job, -1, 0, &result), EZR_OK);
                CHECK(job.is_done());
                sum_of_ids += result.id;
            }
        });
    }
    for (std::thread &client : clients) client.join();
    constexpr int64_t task_count = client_count * runs_each;
    CHECK_EQ(sum_of_ids.load(), task_count * (task_count - 1) / 2);
    CHECK_EQ(runtime.overlaps(), 0);
}

/* Everything at once, with timeouts: every task that was accepted ends exactly once, and every core gets its share. */
TEST(accepted_equals_completed_under_stress) {
    FakeRuntime runtime;
    TestEngine engine({3, 2, {0, 1, 2}, 2, 4, true});
    constexpr int thread_count = 4, runs_each = 2000;
    std::atomic<int> submitted{0}, ran{0}, refused{0};
    std::vector<Job> jobs(thread_count * runs_each);
    std::vector<std::thread> threads;
    for (int t = 0; t < thread_count; ++t) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < runs_each; ++i) {
                Job &job = jobs[t * runs_each + i];
                if (i % 3 == 0) {
                    ezr_result result{};
                    ++(ezr_run(engine, job, i % 2 - 1, 0, &result) == EZR_OK ? ran : refused);
                } else {
                    ++(ezr_submit(engine, job, i % 5 == 0 ? 0 : -1) >= 0 ? submitted : refused);
                }
            }
        });
    }
    std::thread collector([&] {
        ezr_result result{};
        int collected = 0;
        int64_t last = -1;
        while (ezr_next_completion(engine, -1, &result) == EZR_OK) {
            CHECK(result.id > last);
            CHECK_EQ(result.group, static_cast<uint32_t>(result.id % 3));
            last = result.id;
            ++collected;
        }
        CHECK_EQ(collected, submitted.load());
    });
    for (std::thread &thread : threads) thread.join();
    ezr_close(engine, 0);
    collector.join();
    CHECK_EQ(submitted + ran + refused, thread_count * runs_each);
    ezr_group_stats stats[3]{};
    ezr_stats(engine, stats, nullptr);
    CHECK_EQ(stats[0].completed + stats[1].completed + stats[2].completed, static_cast<uint64_t>(submitted + ran));
    CHECK_EQ(runtime.overlaps(), 0);
}
