/* SPDX-License-Identifier: Apache-2.0 */
/* Reports of the runtime's failures and of wrong arguments. */
#include "tests/check.h"
#include "tests/fake_runtime.h"

using namespace ez_rknn::tests;

namespace {

/* Runs one task with a failing call; checks that it is reported with the call and the code, and that the next task is
 * not affected. */
void check_failure(int32_t call, Failure how, int code, int expected) {
    FakeRuntime runtime;
    TestEngine engine({1, 1, {0}});
    Job failing, healthy;
    rknn_tensor_attr shape{};
    failing.task.shapes = &shape;

    runtime.fail(call, how, code);
    ezr_submit(engine, failing, -1);
    const ezr_result submitted = next(engine);
    ezr_result ran{};
    CHECK_EQ(ezr_run(engine, failing, -1, 0, &ran), EZR_OK);
    for (const ezr_result &result : {submitted, ran}) {
        CHECK_EQ(result.code, expected);
        CHECK_EQ(result.call, call);
        CHECK(result.finished_ns >= result.started_ns);
    }

    runtime.fail(EZR_CALL_NONE, Failure::none);
    ezr_submit(engine, healthy, -1);
    CHECK_EQ(next(engine).code, RKNN_SUCC);
    ezr_group_stats stats{};
    ezr_stats(engine, &stats, nullptr);
    CHECK_EQ(stats.failed, 2U);
    CHECK_EQ(stats.completed, 1U);
}

constexpr int32_t failing_calls[] = {EZR_CALL_SET_INPUT_SHAPES, EZR_CALL_INPUTS_SET, EZR_CALL_RUN,
                                     EZR_CALL_OUTPUTS_GET};

}  // namespace

/* Every call's own code reaches the host, with the name of the call. */
TEST(a_failing_call_is_named_with_its_code) {
    for (int32_t call : failing_calls) check_failure(call, Failure::code, -100 - call, -100 - call);
}

/* The runtime's own message reaches the host, truncated: it is read before another call clears it. */
TEST(the_runtime_s_message_is_kept) {
    FakeRuntime runtime;
    TestEngine engine({1, 1, {0}});
    Job job;
    for (int32_t call : failing_calls) {
        if (call == EZR_CALL_SET_INPUT_SHAPES) continue;
        runtime.fail(call, Failure::code, RKNN_ERR_FAIL);
        ezr_result result{};
        CHECK_EQ(ezr_run(engine, job, -1, 0, &result), EZR_OK);
        CHECK_EQ(std::string(result.message), std::string(sizeof result.message - 1, 'x'));
    }
    runtime.fail(EZR_CALL_NONE, Failure::none);
    ezr_result result{};
    CHECK_EQ(ezr_run(engine, job, -1, 0, &result), EZR_OK);
    CHECK_EQ(std::string(result.message), "");
}

/* Running out of memory inside a task fails that task, not the process. */
TEST(running_out_of_memory_fails_the_task) {
    for (int32_t call : failing_calls) check_failure(call, Failure::bad_alloc, 0, RKNN_ERR_MALLOC_FAIL);
}

/* No exception of a runtime leaves a worker. */
TEST(an_exception_of_the_runtime_fails_the_task) {
    for (int32_t call : failing_calls) check_failure(call, Failure::exception, 0, RKNN_ERR_FAIL);
}

/* After a failure the remaining calls are skipped: the vendor's library would return stale outputs. */
TEST(nothing_is_called_after_a_failure) {
    FakeRuntime runtime;
    TestEngine engine({1, 1, {0}});
    Job job;
    runtime.fail(EZR_CALL_INPUTS_SET, Failure::code, RKNN_ERR_PARAM_INVALID);
    ezr_submit(engine, job, -1);
    next(engine);
    CHECK_EQ(runtime.calls(EZR_CALL_RUN), 0);
    CHECK_EQ(runtime.calls(EZR_CALL_OUTPUTS_GET), 0);
    CHECK_EQ(runtime.releases(), 0);
}

/* Outputs are released after every get, the failed ones included. */
TEST(outputs_are_released_after_a_failed_get) {
    FakeRuntime runtime;
    TestEngine engine({1, 1, {0}});
    Job job;
    ezr_result result{};
    ezr_run(engine, job, -1, 0, &result);
    runtime.fail(EZR_CALL_OUTPUTS_GET, Failure::code, RKNN_ERR_FAIL);
    ezr_run(engine, job, -1, 0, &result);
    CHECK_EQ(runtime.releases(), 2);
}

/* Input shapes are set if a task names them and the context has others. */
TEST(shapes_are_set_only_where_they_are_new) {
    FakeRuntime runtime;
    TestEngine engine({1, 1, {0}});
    Job fixed, dynamic;
    rknn_tensor_attr shape{};
    dynamic.task.shapes = &shape;
    ezr_result result{};
    ezr_run(engine, fixed, -1, 0, &result);
    CHECK_EQ(runtime.calls(EZR_CALL_SET_INPUT_SHAPES), 0);
    for (int i = 0; i < 2; ++i) {
        ezr_run(engine, dynamic, -1, 0, &result);
        CHECK_EQ(runtime.calls(EZR_CALL_SET_INPUT_SHAPES), 1);
    }
}

/* A task's arrays are copied at submission: the host may reuse its own at once. */
TEST(the_arrays_of_a_task_are_copied) {
    FakeRuntime runtime;
    TestEngine engine({1, 1, {0}});
    Job first, second;
    runtime.occupy(engine, first);
    {
        rknn_input input = second.task.inputs[0];
        rknn_output output = second.task.outputs[0];
        ezr_task task{};
        task.inputs = &input;
        task.outputs = &output;
        task.input_count = task.output_count = 1;
        ezr_submit(engine, &task, -1);
        input.buf = output.buf = nullptr;
    }
    runtime.let_go(context_of(0));
    for (size_t i = 0; i < 2; ++i) CHECK_EQ(next(engine).code, RKNN_SUCC);
    CHECK(second.is_done());
}

/* An impossible task is refused before it is accepted. */
TEST(an_impossible_task_is_refused) {
    FakeRuntime runtime;
    TestEngine engine({1, 1, {0}});
    ezr_result result{};
    CHECK_EQ(ezr_submit(engine, nullptr, 0), int64_t{EZR_INVALID});
    Job no_inputs, no_outputs, not_preallocated, job;
    no_inputs.task.inputs = nullptr;
    no_outputs.task.outputs = nullptr;
    rknn_output output = job.task.outputs[0];
    output.is_prealloc = 0;
    not_preallocated.task.outputs = &output;
    for (const ezr_task *task : {&no_inputs.task, &no_outputs.task, &not_preallocated.task}) {
        CHECK_EQ(ezr_submit(engine, task, 0), int64_t{EZR_INVALID});
        CHECK_EQ(ezr_run(engine, task, 0, 0, &result), EZR_INVALID);
    }
    CHECK_EQ(ezr_submit(engine, job, -2), int64_t{EZR_INVALID});
    CHECK_EQ(ezr_next_completion(engine, 0, nullptr), EZR_INVALID);
    CHECK_EQ(ezr_submit(engine, job, 0), int64_t{0});
}

/* An impossible configuration is refused, and no engine is created. */
TEST(an_impossible_configuration_is_refused) {
    const ezr_worker workers[] = {{1, 0}, {2, 1}};
    const uint32_t routes[] = {0, 1};
    const ezr_config good{FakeRuntime::functions(), workers, 2, 2, routes, 2, 1, 1, 1, EZR_DISPATCH_MODULO, 0, 0};
    const auto refused = [&](auto change) {
        ezr_config config = good;
        change(config);
        ezr_engine *engine = reinterpret_cast<ezr_engine *>(&config);
        return ezr_create(&config, &engine) == EZR_INVALID && engine == nullptr;
    };
    CHECK(refused([](ezr_config &config) { config.worker_count = 0; }));
    CHECK(refused([](ezr_config &config) { config.worker_count = 1; }));  // group 1 has no context left
    CHECK(refused([](ezr_config &config) { config.group_count = 1; }));
    CHECK(refused([](ezr_config &config) { config.group_count = 3; }));
    CHECK(refused([](ezr_config &config) { config.group_count = UINT32_MAX; }));
    CHECK(refused([](ezr_config &config) { config.route_count = 0; }));
    CHECK(refused([](ezr_config &config) { config.routes = nullptr; }));
    CHECK(refused([](ezr_config &config) { config.workers = nullptr; }));
    CHECK(refused([](ezr_config &config) { config.queue_capacity = 0; }));
    CHECK(refused([](ezr_config &config) { config.completion_capacity = 0; }));
    CHECK(refused([](ezr_config &config) { config.runtime.run = nullptr; }));
    CHECK_EQ(ezr_create(&good, nullptr), EZR_INVALID);
}
