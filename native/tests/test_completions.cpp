/* SPDX-License-Identifier: Apache-2.0 */
/* The order of completions, and the threads that collect them. */
#include <algorithm>
#include <atomic>
#include <thread>

#include "tests/check.h"
#include "tests/fake_runtime.h"

using namespace ez_rknn::tests;

/* In order: a task that finished early waits for those submitted before it. */
TEST(ordered_completions_wait_for_earlier_tasks) {
    FakeRuntime runtime;
    TestEngine engine({2, 1, {0, 1}});
    Job jobs[4];
    runtime.hold(context_of(0));
    for (Job &job : jobs) ezr_submit(engine, job, -1);
    ezr_group_stats stats[2]{};
    while (stats[1].completed < 2) ezr_stats(engine, stats, nullptr);
    ezr_result result{};
    CHECK_EQ(ezr_next_completion(engine, 0, &result), EZR_TIMEOUT);
    runtime.let_go(context_of(0));
    for (int64_t id = 0; id < 4; ++id) CHECK_EQ(next(engine).id, id);
}

/* As they finish: a slow core delays only its own. */
TEST(unordered_completions_come_as_tasks_finish) {
    FakeRuntime runtime;
    TestEngine engine({2, 1, {0, 1}, 8, 64, false});
    Job jobs[4];
    runtime.hold(context_of(0));
    for (Job &job : jobs) ezr_submit(engine, job, -1);
    for (int64_t id : {1, 3}) CHECK_EQ(next(engine).id, id);
    runtime.let_go(context_of(0));
    for (int64_t id : {0, 2}) CHECK_EQ(next(engine).id, id);
}

/* Blocking runs take ids but have no completion; the order skips the gap. */
TEST(runs_take_no_part_in_the_order) {
    FakeRuntime runtime;
    TestEngine engine({1, 1, {0}});
    Job jobs[3], run;
    ezr_result result{};
    for (int64_t i = 0; i < 3; ++i) {
        CHECK_EQ(ezr_submit(engine, jobs[i], -1), 2 * i);
        CHECK_EQ(ezr_run(engine, run, -1, 0, &result), EZR_OK);
        CHECK_EQ(result.id, 2 * i + 1);
    }
    for (int64_t id : {0, 2, 4}) CHECK_EQ(next(engine).id, id);
    CHECK_EQ(ezr_next_completion(engine, 0, &result), EZR_TIMEOUT);
}

/* The host's tag comes back with the completion, and so does a run's. */
TEST(the_tag_comes_back) {
    FakeRuntime runtime;
    TestEngine engine({1, 1, {0}});
    Job job;
    job.task.tag = UINT64_MAX;
    ezr_submit(engine, job, -1);
    CHECK_EQ(next(engine).tag, UINT64_MAX);
    ezr_result result{};
    CHECK_EQ(ezr_run(engine, job, -1, 0, &result), EZR_OK);
    CHECK_EQ(result.tag, UINT64_MAX);
}

/* Several threads may collect: each completion reaches exactly one, and all learn of the end. */
TEST(every_completion_is_collected_once) {
    FakeRuntime runtime;
    TestEngine engine({2, 2, {0, 1}});
    constexpr int task_count = 1000;
    std::vector<Job> jobs(task_count);
    std::vector<int64_t> ids[3];
    std::vector<std::thread> collectors;
    for (auto &mine : ids) {
        collectors.emplace_back([&] {
            ezr_result result{};
            while (ezr_next_completion(engine, -1, &result) == EZR_OK) mine.push_back(result.id);
        });
    }
    for (Job &job : jobs) ezr_submit(engine, job, -1);
    ezr_close(engine, 0);
    for (std::thread &collector : collectors) collector.join();
    std::vector<int64_t> all;
    for (const auto &mine : ids) {
        CHECK(std::is_sorted(mine.begin(), mine.end()));
        all.insert(all.end(), mine.begin(), mine.end());
    }
    std::sort(all.begin(), all.end());
    CHECK_EQ(all.size(), size_t{task_count});
    for (int64_t id = 0; id < task_count; ++id) CHECK_EQ(all.at(static_cast<size_t>(id)), id);
}

/* The end of one task may free several completions, which reach as many collectors, though each takes only one. */
TEST(several_completions_at_once_wake_several_collectors) {
    for (int round = 0; round < 200; ++round) {
        FakeRuntime runtime;
        TestEngine engine({2, 1, {0, 1, 1}});
        Job jobs[3];
        runtime.hold(context_of(0));
        for (Job &job : jobs) ezr_submit(engine, job, -1);
        ezr_group_stats stats[2]{};
        while (stats[1].completed < 2) ezr_stats(engine, stats, nullptr);
        std::atomic<int> asking{0};
        std::vector<std::thread> collectors;
        for (int i = 0; i < 3; ++i) {
            collectors.emplace_back([&] {
                ++asking;
                next(engine);
            });
        }
        while (asking < 3) std::this_thread::yield();
        runtime.let_go(context_of(0));
        for (std::thread &collector : collectors) collector.join();
    }
}

/* Several are collected at once, in order, each with its own status; and no more than asked for. */
TEST(ready_completions_are_collected_together) {
    FakeRuntime runtime;
    TestEngine engine(Layout{});
    Job jobs[5];
    for (Job &job : jobs) CHECK(ezr_submit(engine, job, -1) >= 0);
    ezr_group_stats stats{};
    while (stats.completed < 5) ezr_stats(engine, &stats, nullptr);
    ezr_result results[4];
    int32_t statuses[4];
    CHECK_EQ(ezr_next_completions(engine, -1, 4, results, statuses), 4);
    for (int i = 0; i < 4; ++i) {
        CHECK_EQ(statuses[i], EZR_OK);
        CHECK_EQ(results[i].id, i);
    }
    CHECK_EQ(ezr_next_completions(engine, -1, 4, results, statuses), 1);
    CHECK_EQ(results[0].id, 4);
    CHECK_EQ(ezr_next_completions(engine, 0, 4, results, statuses), EZR_TIMEOUT);
    CHECK_EQ(ezr_next_completions(engine, 0, 0, results, statuses), EZR_INVALID);
    ezr_close(engine, 0);
    CHECK_EQ(ezr_next_completions(engine, -1, 4, results, statuses), EZR_CLOSED);
}
