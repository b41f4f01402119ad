/* SPDX-License-Identifier: Apache-2.0 */
/* Direct I/O that fails, hangs, or is impossible. */
#include <string>

#include "tests/check.h"
#include "tests/direct_job.h"
#include "tests/fake_runtime.h"

using namespace ez_rknn::tests;

namespace {

/* So long that only a held context exceeds it, even on a busy machine under a sanitizer. */
constexpr int32_t short_timeout_ms = 150;

}  // namespace

/* A failure in a call of direct I/O is reported with the call; no call follows it, and the next task is not
 * affected. */
TEST(a_failing_call_of_direct_io_is_named) {
    const auto check = [](int32_t call, Failure how, int expected) {
        Bench bench;
        DirectJob job(bench.input, bench.output);
        bench.runtime.fail(call, how, RKNN_ERR_PARAM_INVALID);
        const ezr_result result = bench.run(job);
        CHECK_EQ(result.code, expected);
        CHECK_EQ(result.call, call);
        CHECK_EQ(std::string(result.message).empty(), how != Failure::code);
        CHECK_EQ(bench.runtime.calls(EZR_CALL_RUN), 0);
        bench.runtime.fail(EZR_CALL_NONE, Failure::none);
        CHECK_EQ(bench.run(job).code, RKNN_SUCC);
        CHECK(job.is_done());
    };
    for (int32_t call : {EZR_CALL_SET_IO_MEM, EZR_CALL_MEM_SYNC}) {
        check(call, Failure::code, RKNN_ERR_PARAM_INVALID);
        check(call, Failure::bad_alloc, RKNN_ERR_MALLOC_FAIL);
        check(call, Failure::exception, RKNN_ERR_FAIL);
    }
}

/* Outputs of which the CPU may see stale bytes are not passed on. */
TEST(an_output_that_could_not_be_synchronised_is_not_converted) {
    Bench bench;
    DirectJob job(bench.input, bench.output);
    job.inputs[0].sync = 0;
    bench.runtime.fail(EZR_CALL_MEM_SYNC, Failure::code, RKNN_ERR_FAIL);
    const ezr_result result = bench.run(job);
    CHECK_EQ(result.call, EZR_CALL_MEM_SYNC);
    CHECK(result.input_ns <= result.npu_ns && result.npu_ns <= result.finished_ns);
    CHECK(job.is_untouched());
}

/* A worker without memory fails its task with the runtime's own error. */
TEST(a_worker_without_memory_fails_the_task) {
    Bench bench;
    bench.input.take_away(0);
    DirectJob job(bench.input, bench.output);
    const ezr_result result = bench.run(job);
    CHECK_EQ(result.code, RKNN_ERR_PARAM_INVALID);
    CHECK_EQ(result.call, EZR_CALL_SET_IO_MEM);
}

/* A direct task that hangs ends like any other; once its call has returned, none of its memory is touched. */
TEST(a_direct_task_that_hangs_is_ended) {
    struct Case {
        int32_t call;
        bool syncs_input;
        const char *log; /* the call in which it hung is the last */
    };
    const Case cases[] = {
        {EZR_CALL_SET_IO_MEM, true, "bind in"},
        {EZR_CALL_MEM_SYNC, true, "bind in, to device"},
        {EZR_CALL_RUN, true, "bind in, to device, bind out, run"},
        {EZR_CALL_MEM_SYNC, false, "bind in, bind out, run, from device"},
    };
    for (const Case &one : cases) {
        Bench bench(FakeRuntime::functions(), short_timeout_ms);
        DirectJob job(bench.input, bench.output);
        job.inputs[0].sync = one.syncs_input ? 1 : 0;
        bench.runtime.hold(context_of(0), one.call);
        ezr_submit(bench.engine, job, -1);
        next(bench.engine, EZR_STALLED);
        const ezr_result ended = next(bench.engine);
        CHECK_EQ(ended.code, RKNN_ERR_TIMEOUT);
        CHECK_EQ(ended.call, one.call);
        CHECK(ended.started_ns <= ended.input_ns && ended.input_ns <= ended.npu_ns);
        CHECK(ended.npu_ns <= ended.finished_ns);
        bench.runtime.let_go(context_of(0));
        next(bench.engine, EZR_RELEASED);
        CHECK_EQ(bench.log(), one.log);
        CHECK(job.is_untouched());
    }
}

/* Even without a runtime call between the run and the conversion, the conversion is skipped. */
TEST(an_output_is_not_converted_for_a_task_that_was_ended) {
    Bench bench(FakeRuntime::functions(), short_timeout_ms);
    DirectJob job(bench.input, bench.output);
    job.outputs[0].sync = 0;
    bench.runtime.hold(context_of(0));
    ezr_submit(bench.engine, job, -1);
    next(bench.engine, EZR_STALLED);
    next(bench.engine);
    bench.runtime.let_go(context_of(0));
    next(bench.engine, EZR_RELEASED);
    CHECK(job.is_untouched());
    CHECK_EQ(bench.output.read(), 2);
}

/* An impossible task is refused before it is accepted. */
TEST(an_impossible_direct_task_is_refused) {
    Bench bench;
    DirectJob job(bench.input, bench.output);
    const auto refused = [&](auto change) {
        DirectJob impossible(bench.input, bench.output);
        change(impossible);
        ezr_result result{};
        return ezr_submit(bench.engine, impossible, 0) == EZR_INVALID &&
               ezr_run(bench.engine, impossible, 0, 0, &result) == EZR_INVALID;
    };
    CHECK(refused([](DirectJob &one) { one.inputs[0].attr = nullptr; }));
    CHECK(refused([](DirectJob &one) { one.inputs[0].memories = nullptr; }));
    CHECK(refused([](DirectJob &one) { one.inputs[0].binding = 0; }));
    CHECK(refused([](DirectJob &one) { one.inputs[0].conversion = nullptr; }));
    CHECK(refused([](DirectJob &one) { one.inputs[0].array = nullptr; }));
    CHECK(refused([](DirectJob &one) { one.outputs[0].binding = 0; }));
    CHECK(refused([](DirectJob &one) { one.outputs[0].array = nullptr; }));
    CHECK(refused([](DirectJob &one) { one.task.direct_inputs = nullptr; }));
    CHECK(refused([](DirectJob &one) { one.task.direct_outputs = nullptr; }));
    CHECK_EQ(bench.run(job).code, RKNN_SUCC);
}

/* Every direct task is refused if the runtime cannot bind. */
TEST(a_runtime_that_cannot_bind_refuses_direct_tasks) {
    ezr_runtime old = FakeRuntime::functions();
    old.set_io_mem = nullptr;
    Bench bench(old);
    DirectJob job(bench.input, bench.output);
    Job by_copy;
    CHECK_EQ(ezr_submit(bench.engine, job, 0), int64_t{EZR_INVALID});
    CHECK_EQ(bench.run(by_copy).code, RKNN_SUCC);
}
