/* SPDX-License-Identifier: Apache-2.0 */
/* Lanes: several contexts of a worker, one for each way of giving a context its tensors. */
#include <cstdio>

#include "tests/check.h"
#include "tests/fake_runtime.h"

using namespace ez_rknn::tests;

namespace {

/* The contexts of two workers in a second lane. */
constexpr rknn_context lane_contexts[] = {701, 702};
constexpr rknn_context fresh_context = 5000;

struct LaneJob : Job {
    LaneJob(int32_t number, uint32_t lane) : Job(number) { task.lane = lane; }
};

Layout two_cores() {
    Layout layout;
    layout.cores = 2;
    layout.routes = {0, 1};
    return layout;
}

}  // namespace

/* The task's lane selects the context, the schedule the worker, and the result names both. */
TEST(a_task_runs_on_the_context_of_its_lane) {
    FakeRuntime runtime;
    TestEngine engine(two_cores());
    CHECK_EQ(ezr_add_lane(engine, lane_contexts), 1);
    LaneJob jobs[] = {{0, 0}, {1, 1}, {2, 1}, {3, 0}};
    for (LaneJob &job : jobs) CHECK(ezr_submit(engine, job, -1) >= 0);
    for (uint32_t i = 0; i < 4; ++i) {
        const ezr_result result = next(engine);
        CHECK_EQ(result.lane, jobs[i].task.lane);
        CHECK_EQ(result.worker, i % 2);
    }
    CHECK_EQ(runtime.run_count(context_of(0)), 1U);
    CHECK_EQ(runtime.run_count(lane_contexts[1]), 1U);
    CHECK_EQ(runtime.run_count(lane_contexts[0]), 1U);
    CHECK_EQ(runtime.run_count(context_of(1)), 1U);
}

/* A core has one NPU: while a worker runs a task of one lane, a task of another lane waits. */
TEST(a_worker_runs_one_task_at_a_time_whatever_the_lane) {
    FakeRuntime runtime;
    TestEngine engine(Layout{});
    CHECK_EQ(ezr_add_lane(engine, lane_contexts), 1);
    LaneJob first(1, 0), second(2, 1);
    runtime.hold(context_of(0));
    ezr_submit(engine, first, -1);
    runtime.wait_until_held(context_of(0));
    ezr_submit(engine, second, -1);
    ezr_group_stats stats{};
    ezr_stats(engine, &stats, nullptr);
    CHECK_EQ(stats.queued, 1U);
    CHECK_EQ(stats.running, 1U);
    runtime.let_go(context_of(0));
    for (int i = 0; i < 2; ++i) CHECK_EQ(next(engine).code, RKNN_SUCC);
    CHECK(first.is_done() && second.is_done());
    CHECK_EQ(runtime.overlaps(), 0);
}

/* One context's bindings are of no use to another: each lane binds once, and neither makes the other bind again. */
TEST(each_lane_remembers_its_own_bindings) {
    FakeRuntime runtime;
    TestEngine engine(Layout{});
    CHECK_EQ(ezr_add_lane(engine, lane_contexts), 1);
    int32_t number = 0;
    rknn_tensor_attr attr{};
    std::snprintf(attr.name, sizeof attr.name, "%s", input_name);
    rknn_tensor_mem memory{};
    memory.virt_addr = &number;
    rknn_tensor_mem *const memories[] = {&memory};
    ezr_io input{};
    input.attr = &attr;
    input.memories = memories;
    input.binding = 1;
    ezr_task task{};
    task.direct_inputs = &input;
    task.input_count = 1;
    ezr_result result{};
    for (const uint32_t lane : {0U, 1U, 0U, 1U}) {
        task.lane = lane;
        CHECK_EQ(ezr_run(engine, &task, -1, 0, &result), EZR_OK);
        CHECK_EQ(result.code, RKNN_SUCC);
    }
    CHECK_EQ(runtime.log(context_of(0)), "bind in, run, run");
    CHECK_EQ(runtime.log(lane_contexts[0]), "bind in, run, run");
}

/* A lane that was never added has no context. */
TEST(an_unknown_lane_is_refused) {
    FakeRuntime runtime;
    TestEngine engine(Layout{});
    LaneJob job(1, 1);
    ezr_result result{};
    CHECK_EQ(ezr_submit(engine, job, 0), int64_t{EZR_INVALID});
    CHECK_EQ(ezr_run(engine, job, 0, 0, &result), EZR_INVALID);
    CHECK_EQ(ezr_add_lane(engine, nullptr), EZR_INVALID);
    CHECK_EQ(ezr_add_lane(nullptr, lane_contexts), EZR_INVALID);
    CHECK_EQ(ezr_add_lane(engine, lane_contexts), 1);
    CHECK_EQ(ezr_run(engine, job, 0, 0, &result), EZR_OK);
    ezr_close(engine, 0);
    CHECK_EQ(ezr_add_lane(engine, lane_contexts), EZR_CLOSED);
}

/* Only the context that is stuck is replaced; the others of its worker were idle, and are used again. */
TEST(a_stuck_worker_keeps_its_other_lanes) {
    FakeRuntime runtime;
    TestEngine engine(watched());
    CHECK_EQ(ezr_add_lane(engine, lane_contexts), 1);
    LaneJob stuck(1, 1), other(2, 0), again(3, 1);
    CHECK_EQ(stall(runtime, engine, stuck, lane_contexts[0]).lane, 1U);
    const ezr_result ended = next(engine);
    CHECK_EQ(ended.code, RKNN_ERR_TIMEOUT);
    CHECK_EQ(ended.lane, 1U);
    CHECK_EQ(ezr_replace_worker(engine, 0, fresh_context), EZR_OK);
    ezr_submit(engine, other, -1);
    ezr_submit(engine, again, -1);
    for (int i = 0; i < 2; ++i) CHECK_EQ(next(engine).code, RKNN_SUCC);
    CHECK_EQ(runtime.run_count(context_of(0)), 1U);
    CHECK_EQ(runtime.run_count(fresh_context), 1U);
    runtime.let_go(lane_contexts[0]);
    next(engine, EZR_RELEASED);
}

/* Tasks of several lanes and lanes that are added meanwhile do not disturb each other. */
TEST(lanes_may_be_added_while_tasks_run) {
    FakeRuntime runtime;
    TestEngine engine(two_cores());
    std::vector<rknn_context> contexts(2);
    for (int32_t lane = 1; lane <= 20; ++lane) {
        LaneJob before(lane, static_cast<uint32_t>(lane) - 1);
        ezr_submit(engine, before, -1);
        contexts = {static_cast<rknn_context>(10'000 + lane), static_cast<rknn_context>(20'000 + lane)};
        CHECK_EQ(ezr_add_lane(engine, contexts.data()), lane);
        CHECK_EQ(next(engine).code, RKNN_SUCC);
        CHECK(before.is_done());
    }
}
