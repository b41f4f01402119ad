/* SPDX-License-Identifier: Apache-2.0 */
/* The health of the engine's workers. */
#include <atomic>
#include <thread>

#include "tests/check.h"
#include "tests/fake_runtime.h"

using namespace ez_rknn::tests;

namespace {

constexpr rknn_context fresh_context = 5000;

ezr_worker_health health_of(ezr_engine *engine, uint32_t worker, uint32_t count = 1) {
    std::vector<ezr_worker_health> workers(count);
    ezr_health(engine, workers.data());
    return workers[worker];
}

}  // namespace

/* Failures are counted up to the next success, with the code and the call of the last. */
TEST(failures_in_a_row_are_counted) {
    FakeRuntime runtime;
    TestEngine engine({1, 1, {0}});
    Job job;
    ezr_result result{};
    CHECK_EQ(health_of(engine, 0).code, RKNN_SUCC);
    for (const uint64_t failures : {1U, 2U, 3U}) {
        const int32_t call = failures < 3 ? EZR_CALL_RUN : EZR_CALL_INPUTS_SET;
        runtime.fail(call, Failure::code, RKNN_ERR_DEVICE_UNAVAILABLE);
        CHECK_EQ(ezr_run(engine, job, -1, 0, &result), EZR_OK);
        const ezr_worker_health health = health_of(engine, 0);
        CHECK_EQ(health.state, uint32_t{EZR_WORKER_READY});
        CHECK_EQ(health.failures, failures);
        CHECK_EQ(health.code, RKNN_ERR_DEVICE_UNAVAILABLE);
        CHECK_EQ(health.call, call);
    }
    runtime.fail(EZR_CALL_NONE, Failure::none);
    CHECK_EQ(ezr_run(engine, job, -1, 0, &result), EZR_OK);
    const ezr_worker_health health = health_of(engine, 0);
    CHECK_EQ(health.failures, 0U);
    CHECK_EQ(health.code, RKNN_SUCC);
    CHECK_EQ(health.call, EZR_CALL_NONE);
}

/* Each worker has its own count: failures of one say nothing of the others. */
TEST(failures_are_counted_for_each_worker) {
    FakeRuntime runtime;
    TestEngine engine({2, 2, {0, 1}});
    Job job;
    runtime.fail(EZR_CALL_RUN, Failure::code, RKNN_ERR_FAIL);
    ezr_submit(engine, job, -1);
    const uint32_t failed = next(engine).worker;
    for (uint32_t worker = 0; worker < 4; ++worker) {
        CHECK_EQ(health_of(engine, worker, 4).failures, worker == failed ? 1U : 0U);
        CHECK_EQ(health_of(engine, worker, 4).group, worker / 2);
    }
}

/* A worker is set aside, and then either replaced, which resets its health, or lost for good. */
TEST(a_worker_that_hangs_is_stalled_until_it_is_replaced) {
    for (const bool is_replaced : {true, false}) {
        FakeRuntime runtime;
        TestEngine engine(watched());
        Job job;
        stall(runtime, engine, job);
        const ezr_worker_health stalled = health_of(engine, 0);
        CHECK_EQ(stalled.state, uint32_t{EZR_WORKER_STALLED});
        CHECK_EQ(stalled.failures, 1U);
        CHECK_EQ(stalled.code, RKNN_ERR_TIMEOUT);
        CHECK_EQ(stalled.call, EZR_CALL_RUN);
        CHECK_EQ(ezr_replace_worker(engine, 0, is_replaced ? fresh_context : 0), EZR_OK);
        const ezr_worker_health health = health_of(engine, 0);
        CHECK_EQ(health.state, static_cast<uint32_t>(is_replaced ? EZR_WORKER_READY : EZR_WORKER_LOST));
        CHECK_EQ(health.failures, is_replaced ? 0U : 1U);
        runtime.let_go(context_of(0));
        engine.destroy();
    }
}

/* It may be read at any time, on any thread. */
TEST(health_may_be_read_while_tasks_run) {
    FakeRuntime runtime;
    TestEngine engine({2, 2, {0, 1}});
    std::atomic<bool> is_over{false};
    std::thread reader([&] {
        while (!is_over) CHECK_EQ(health_of(engine, 3, 4).state, uint32_t{EZR_WORKER_READY});
    });
    Job job;
    ezr_result result{};
    for (int i = 0; i < 1000; ++i) CHECK_EQ(ezr_run(engine, job, -1, 0, &result), EZR_OK);
    is_over = true;
    reader.join();
    ezr_health(nullptr, nullptr);
}
