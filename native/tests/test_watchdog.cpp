/* SPDX-License-Identifier: Apache-2.0 */
/* The watchdog: tasks whose call into the runtime does not return. */
#include <atomic>
#include <thread>

#include "tests/check.h"
#include "tests/fake_runtime.h"

using namespace ez_rknn::tests;

namespace {

constexpr rknn_context fresh_context = 5000;

}  // namespace

/* A task that hangs in any call ends with the name of that call; then its worker returns, touches nothing unnecessary,
 * and the host is told that its buffers and context are free. */
TEST(a_task_that_hangs_is_ended) {
    for (int32_t call : {EZR_CALL_INPUTS_SET, EZR_CALL_RUN, EZR_CALL_OUTPUTS_GET}) {
        FakeRuntime runtime;
        TestEngine engine(watched());
        Job job;
        job.task.tag = 42;
        runtime.hold(context_of(0), call);
        CHECK_EQ(ezr_submit(engine, job, 0), int64_t{0});

        const ezr_result stalled = next(engine, EZR_STALLED);
        CHECK_EQ(stalled.worker, 0U);
        CHECK_EQ(stalled.tag, 42U);
        const ezr_result ended = next(engine);
        CHECK_EQ(ended.id, int64_t{0});
        CHECK_EQ(ended.tag, 42U);
        CHECK_EQ(ended.code, RKNN_ERR_TIMEOUT);
        CHECK_EQ(ended.call, call);
        CHECK(ended.finished_ns - ended.started_ns >= int64_t{watchdog_ms} * 1'000'000);
        CHECK(ended.started_ns <= ended.input_ns && ended.input_ns <= ended.npu_ns);
        CHECK(ended.npu_ns <= ended.finished_ns);
        ezr_result result{};
        CHECK_EQ(ezr_next_completion(engine, 0, &result), EZR_TIMEOUT);

        runtime.let_go(context_of(0));
        const ezr_result released = next(engine, EZR_RELEASED);
        CHECK_EQ(released.tag, 42U);
        CHECK_EQ(released.worker, 0U);
        CHECK_EQ(runtime.calls(EZR_CALL_RUN), call == EZR_CALL_INPUTS_SET ? 0 : 1);
        CHECK_EQ(runtime.calls(EZR_CALL_OUTPUTS_GET), call == EZR_CALL_OUTPUTS_GET ? 1 : 0);
        CHECK_EQ(job.is_done(), call == EZR_CALL_OUTPUTS_GET);
        CHECK_EQ(stats_of(engine).stalled, 1U);
        CHECK_EQ(stats_of(engine).failed, 1U);
        CHECK_EQ(stats_of(engine).running, 0U);
    }
}

/* ezr_run must be able to return, so under a watchdog it never runs on the calling thread. */
TEST(a_run_that_hangs_returns) {
    FakeRuntime runtime;
    TestEngine engine(watched());
    Job job;
    ezr_result result{};
    CHECK_EQ(ezr_run(engine, job, -1, 0, &result), EZR_OK);
    CHECK_EQ(result.code, RKNN_SUCC);
    for (const std::string &name : runtime.thread_names()) CHECK_EQ(name, "ezr-g0-0");
    runtime.hold(context_of(0));
    CHECK_EQ(ezr_run(engine, job, -1, 0, &result), EZR_OK);
    CHECK_EQ(result.code, RKNN_ERR_TIMEOUT);
    CHECK_EQ(result.call, EZR_CALL_RUN);
    next(engine, EZR_STALLED);
    runtime.let_go(context_of(0));
    next(engine, EZR_RELEASED);
}

/* The other workers keep working: those of other groups, and those of the same. */
TEST(the_other_workers_go_on) {
    FakeRuntime runtime;
    TestEngine engine(watched(2, 2));
    Job stuck;
    runtime.hold(context_of(0, 0));
    runtime.hold(context_of(0, 1));
    ezr_submit(engine, stuck, 0);
    const uint32_t worker = next(engine, EZR_STALLED).worker;
    CHECK_EQ(next(engine).code, RKNN_ERR_TIMEOUT);
    runtime.let_go(context_of(0, 1 - worker));
    std::vector<Job> jobs(20);
    for (Job &job : jobs) {
        CHECK(ezr_submit(engine, job, -1) > 0);
        const ezr_result result = next(engine);
        CHECK_EQ(result.code, RKNN_SUCC);
        CHECK(result.worker != worker);
    }
    runtime.let_go(context_of(0, worker));
    next(engine, EZR_RELEASED);
    CHECK_EQ(runtime.overlaps(), 0);
}

/* A fresh context replaces the one that was set aside, and serves waiting tasks; the old one is never used again, not
 * even when its call returns. */
TEST(a_fresh_context_takes_the_place) {
    FakeRuntime runtime;
    TestEngine engine(watched());
    Job stuck, waiting, later;
    runtime.occupy(engine, stuck);
    ezr_submit(engine, waiting, 0);
    CHECK_EQ(ezr_replace_worker(engine, 0, fresh_context), EZR_INVALID);
    next(engine, EZR_STALLED);
    CHECK_EQ(next(engine).code, RKNN_ERR_TIMEOUT);
    CHECK_EQ(ezr_replace_worker(engine, 1, fresh_context), EZR_INVALID);
    CHECK_EQ(ezr_replace_worker(engine, 0, fresh_context), EZR_OK);
    CHECK_EQ(ezr_replace_worker(engine, 0, fresh_context), EZR_INVALID);
    const ezr_result served = next(engine);
    CHECK_EQ(served.code, RKNN_SUCC);
    CHECK_EQ(served.worker, 0U);
    runtime.let_go(context_of(0));
    next(engine, EZR_RELEASED);
    ezr_submit(engine, later, 0);
    CHECK_EQ(next(engine).code, RKNN_SUCC);
    CHECK_EQ(runtime.run_count(context_of(0)), 1U);
    CHECK_EQ(runtime.run_count(fresh_context), 2U);
}

/* The replacement may hang too, before the first has returned; the notices tell the tasks apart. */
TEST(a_replacement_may_hang_too) {
    FakeRuntime runtime;
    TestEngine engine(watched());
    Job jobs[3];
    runtime.hold(context_of(0));
    runtime.hold(fresh_context);
    for (uint64_t i = 0; i < 2; ++i) {
        jobs[i].task.tag = i;
        ezr_submit(engine, jobs[i], 0);
        CHECK_EQ(next(engine, EZR_STALLED).tag, i);
        CHECK_EQ(next(engine).code, RKNN_ERR_TIMEOUT);
        CHECK_EQ(ezr_replace_worker(engine, 0, fresh_context + i), EZR_OK);
    }
    runtime.let_go(fresh_context);
    CHECK_EQ(next(engine, EZR_RELEASED).tag, 1U);
    runtime.let_go(context_of(0));
    CHECK_EQ(next(engine, EZR_RELEASED).tag, 0U);
    ezr_submit(engine, jobs[2], 0);
    CHECK_EQ(next(engine).code, RKNN_SUCC);
    CHECK_EQ(stats_of(engine).stalled, 2U);
}

/* In order: the completion of a task that hangs comes in its place, and holds up nothing after that. */
TEST(the_order_survives_a_task_that_hangs) {
    FakeRuntime runtime;
    TestEngine engine(watched(2));
    Job jobs[4];
    runtime.hold(context_of(0));
    for (int i = 0; i < 2; ++i) ezr_submit(engine, jobs[i], 0);
    next(engine, EZR_STALLED);
    for (int64_t id : {0, 1}) {
        const ezr_result result = next(engine);
        CHECK_EQ(result.id, id);
        CHECK_EQ(result.code, id == 0 ? RKNN_ERR_TIMEOUT : RKNN_SUCC);
    }
    runtime.let_go(context_of(0));
    next(engine, EZR_RELEASED);
}

/* If the host has no other context, the tasks waiting for the group end, and the other groups take over its turns. */
TEST(a_group_without_replacement_is_skipped) {
    FakeRuntime runtime;
    TestEngine engine(watched(2));
    Job stuck, other, waiting;
    runtime.occupy(engine, stuck);
    ezr_submit(engine, other, 0);
    ezr_submit(engine, waiting, 0);
    next(engine, EZR_STALLED);
    CHECK_EQ(next(engine).code, RKNN_ERR_TIMEOUT);
    CHECK_EQ(next(engine).code, RKNN_SUCC);
    CHECK_EQ(ezr_replace_worker(engine, 0, 0), EZR_OK);
    const ezr_result hopeless = next(engine);
    CHECK_EQ(hopeless.id, int64_t{2});
    CHECK_EQ(hopeless.code, RKNN_ERR_DEVICE_UNAVAILABLE);
    CHECK_EQ(hopeless.call, EZR_CALL_NONE);
    std::vector<Job> jobs(10);
    for (Job &job : jobs) ezr_submit(engine, job, -1);
    for (size_t i = 0; i < jobs.size(); ++i) CHECK_EQ(next(engine).group, 1U);
    CHECK_EQ(ezr_replace_worker(engine, 0, fresh_context), EZR_INVALID);
    runtime.let_go(context_of(0));
    next(engine, EZR_RELEASED);
}

/* Without its last group the engine is closed: waiting tasks end, in the common queue too, and it reports that it is
 * closed. */
TEST(an_engine_without_any_group_is_closed) {
    for (uint8_t dispatch : {uint8_t{EZR_DISPATCH_MODULO}, uint8_t{EZR_DISPATCH_LEAST_LOADED}}) {
        FakeRuntime runtime;
        Layout layout = watched();
        layout.dispatch = dispatch;
        TestEngine engine(layout);
        Job stuck, waiting;
        runtime.occupy(engine, stuck);
        ezr_submit(engine, waiting, 0);
        next(engine, EZR_STALLED);
        CHECK_EQ(next(engine).code, RKNN_ERR_TIMEOUT);
        CHECK_EQ(ezr_replace_worker(engine, 0, 0), EZR_OK);
        CHECK_EQ(next(engine).code, RKNN_ERR_DEVICE_UNAVAILABLE);
        CHECK_EQ(ezr_submit(engine, waiting, -1), int64_t{EZR_CLOSED});
        next(engine, EZR_CLOSED);
        runtime.let_go(context_of(0));
        engine.destroy();
    }
}

/* Closing an engine whose only worker hangs leaves nothing to wait for. */
TEST(closing_does_not_wait_for_a_replacement) {
    FakeRuntime runtime;
    TestEngine engine(watched());
    Job stuck, waiting;
    runtime.occupy(engine, stuck);
    ezr_submit(engine, waiting, 0);
    ezr_close(engine, 0);
    next(engine, EZR_STALLED);
    CHECK_EQ(next(engine).code, RKNN_ERR_TIMEOUT);
    CHECK_EQ(next(engine).code, RKNN_ERR_DEVICE_UNAVAILABLE);
    next(engine, EZR_CLOSED);
    CHECK_EQ(ezr_replace_worker(engine, 0, fresh_context), EZR_CLOSED);
    runtime.let_go(context_of(0));
    engine.destroy();
}

/* A task that ends just as its time is up either succeeds or is released, and its outputs are whole or untouched. */
TEST(a_task_ends_or_is_set_aside_but_not_both) {
    FakeRuntime runtime;
    Layout layout = watched(2);
    layout.run_timeout_ms = 1;
    layout.ordered = false;
    TestEngine engine(layout);
    constexpr uint64_t task_count = 60;
    std::vector<Job> jobs(task_count);
    std::atomic<rknn_context> held[2] = {{context_of(0)}, {context_of(1)}};
    std::atomic<bool> is_over{false};
    for (const auto &context : held) runtime.hold(context);
    // Releases every call as soon as possible, about when its time is up.
    std::vector<std::thread> releasers;
    for (auto &context : held) {
        releasers.emplace_back([&] {
            while (!is_over) {
                runtime.step(context);
                std::this_thread::yield();
            }
        });
    }
    rknn_context fresh = fresh_context;
    std::vector<rknn_context> all = {context_of(0), context_of(1)};
    uint64_t submitted = 0, ended = 0, stalled = 0, released = 0;
    while (ended < task_count || released < stalled) {
        while (submitted < task_count && submitted < ended + 4) {
            jobs[submitted].task.tag = submitted;
            CHECK(ezr_submit(engine, jobs[submitted++], -1) >= 0);
        }
        ezr_result result{};
        switch (ezr_next_completion(engine, -1, &result)) {
            case EZR_OK:
                ++ended;
                if (result.code == RKNN_SUCC) CHECK(jobs[result.tag].is_done());
                break;
            case EZR_STALLED:
                ++stalled;
                runtime.hold(++fresh);
                held[result.worker] = fresh;
                CHECK_EQ(ezr_replace_worker(engine, result.worker, fresh), EZR_OK);
                for (rknn_context old : all) runtime.let_go(old);
                all.push_back(fresh);
                runtime.hold(fresh);
                break;
            case EZR_RELEASED:
                ++released;
                break;
            default:
                CHECK(false);
        }
    }
    is_over = true;
    for (std::thread &releaser : releasers) releaser.join();
    for (rknn_context context : all) runtime.let_go(context);
    engine.destroy();
    CHECK_EQ(runtime.overlaps(), 0);
}
