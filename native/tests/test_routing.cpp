/* SPDX-License-Identifier: Apache-2.0 */
/* The routing of tasks to cores. */
#include <map>

#include "tests/check.h"
#include "tests/fake_runtime.h"

using namespace ez_rknn::tests;

/* Task i goes to routes[i % route_count], however busy the cores are. */
TEST(tasks_follow_the_schedule) {
    FakeRuntime runtime;
    TestEngine engine({3, 1, {0, 1, 2}});
    std::vector<Job> jobs(30);
    for (Job &job : jobs) ezr_submit(engine, job, -1);
    for (int64_t id = 0; id < 30; ++id) {
        const ezr_result result = next(engine);
        CHECK_EQ(result.id, id);
        CHECK_EQ(result.group, static_cast<uint32_t>(id % 3));
    }
}

/* A core that the schedule names twice gets twice the tasks. */
TEST(a_repeated_core_gets_its_share) {
    FakeRuntime runtime;
    TestEngine engine({2, 1, {0, 0, 1}});
    std::vector<Job> jobs(60);
    for (Job &job : jobs) ezr_submit(engine, job, -1);
    for (size_t i = 0; i < jobs.size(); ++i) next(engine);
    CHECK_EQ(runtime.run_count(context_of(0)), 40U);
    CHECK_EQ(runtime.run_count(context_of(1)), 20U);
}

/* A blocking run takes its turn in the same schedule as submitted tasks. */
TEST(run_and_submit_share_the_ids) {
    FakeRuntime runtime;
    TestEngine engine({3, 1, {0, 1, 2}});
    for (int64_t id = 0; id < 12; ++id) {
        Job job;
        ezr_result result{};
        if (id % 2 == 0) {
            CHECK_EQ(ezr_run(engine, job, -1, 0, &result), EZR_OK);
        } else {
            CHECK_EQ(ezr_submit(engine, job, -1), id);
            result = next(engine);
        }
        CHECK_EQ(result.id, id);
        CHECK_EQ(result.group, static_cast<uint32_t>(id % 3));
        CHECK(job.is_done());
    }
}

/* The result names the context, by its index into the workers that the host gave. */
TEST(the_result_names_the_worker) {
    FakeRuntime runtime;
    TestEngine engine({2, 2, {1}});
    Job job;
    ezr_result result{};
    CHECK_EQ(ezr_run(engine, job, -1, 0, &result), EZR_OK);
    CHECK(result.worker == 2 || result.worker == 3);
    CHECK_EQ(runtime.runs().at(0).context, context_of(1, result.worker - 2));
}

/* A task's times are in order, so that their differences are durations. */
TEST(times_are_in_order) {
    FakeRuntime runtime;
    TestEngine engine({1, 1, {0}});
    Job job;
    ezr_submit(engine, job, -1);
    const ezr_result result = next(engine);
    CHECK(0 < result.submitted_ns && result.submitted_ns <= result.started_ns);
    CHECK(result.started_ns <= result.input_ns && result.input_ns <= result.npu_ns);
    CHECK(result.npu_ns <= result.finished_ns);
}

/* An idle context means no thread hop: the task runs on the caller's own thread. */
TEST(an_idle_core_runs_on_the_calling_thread) {
    FakeRuntime runtime;
    TestEngine engine({1, 1, {0}});
    Job job;
    ezr_result result{};
    CHECK_EQ(ezr_run(engine, job, -1, 0, &result), EZR_OK);
    for (const std::string &name : runtime.thread_names()) CHECK(name.rfind("ezr-", 0) != 0);
}

/* Tools such as top show the core that a thread works for. */
TEST(threads_are_named_after_their_core) {
    FakeRuntime runtime;
    TestEngine engine({2, 1, {0, 1}});
    Job jobs[2];
    for (Job &job : jobs) ezr_submit(engine, job, -1);
    for (size_t i = 0; i < 2; ++i) next(engine);
    CHECK(runtime.thread_names() == (std::set<std::string>{"ezr-g0-0", "ezr-g1-0"}));
}
