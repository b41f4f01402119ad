/* SPDX-License-Identifier: Apache-2.0 */
/* The bindings of a context, from one task of direct I/O to the next. */
#include <cstring>
#include <deque>
#include <string>

#include "tests/check.h"
#include "tests/direct_job.h"
#include "tests/fake_runtime.h"

using namespace ez_rknn::tests;

namespace {

/* So long that only a held context exceeds it, even on a busy machine under a sanitizer. */
constexpr int32_t short_timeout_ms = 150;
constexpr rknn_context fresh_context = 5000;

}  // namespace

/* Bound memory stays bound: later tasks only convert and synchronise. */
TEST(memory_is_bound_once) {
    Bench bench;
    for (int32_t i = 0; i < 5; ++i) {
        DirectJob job(bench.input, bench.output, i);
        bench.run(job);
        CHECK(job.is_done());
        CHECK_EQ(bench.log(), i == 0 ? calls_of_first_run : calls_of_later_run);
    }
}

/* Only the tensor with a changed binding is bound again, also when the first binding returns. */
TEST(only_a_changed_binding_is_bound_again) {
    Bench bench;
    const Memory other{input_name, 3};
    DirectJob first(bench.input, bench.output, 10), second(other, bench.output, 20),
        third(bench.input, bench.output, 30);
    bench.run(first);
    CHECK_EQ(bench.log(), calls_of_first_run);
    bench.run(second);
    CHECK_EQ(bench.log(), "bind in, to device, run, from device");
    bench.run(third);
    CHECK_EQ(bench.log(), "bind in, to device, run, from device");
    CHECK(first.is_done() && second.is_done() && third.is_done());
}

/* Each worker binds its own context's memory. */
TEST(each_worker_binds_its_own_memory) {
    FakeRuntime runtime;
    TestEngine engine({2, 2, {0, 1}});
    const Memory input{input_name, 1, 4}, output{output_name, 2, 4};
    for (uint32_t core : {0, 1}) {
        for (uint32_t index : {0, 1}) runtime.hold(context_of(core, index));
    }
    // Four at the same time, on the four contexts; then as many as they like.
    std::deque<DirectJob> jobs;
    for (int32_t i = 0; i < 40; ++i) jobs.emplace_back(input, output, 100 + i);
    for (size_t i = 0; i < 4; ++i) ezr_submit(engine, jobs[i], -1);
    for (uint32_t core : {0, 1}) {
        for (uint32_t index : {0, 1}) {
            runtime.wait_until_held(context_of(core, index));
            runtime.let_go(context_of(core, index));
        }
    }
    for (size_t i = 4; i < jobs.size(); ++i) ezr_submit(engine, jobs[i], -1);
    for (size_t i = 0; i < jobs.size(); ++i) CHECK_EQ(next(engine).code, RKNN_SUCC);
    for (const DirectJob &job : jobs) CHECK(job.is_done());
    CHECK_EQ(runtime.calls(EZR_CALL_SET_IO_MEM), 8);
}

/* New shapes change the context's bindings: everything is bound again after they were set. Equal shapes change
 * nothing. */
TEST(new_shapes_rebind_everything) {
    Bench bench;
    DirectJob fixed(bench.input, bench.output), dynamic(bench.input, bench.output);
    rknn_tensor_attr shape{};
    dynamic.task.shapes = &shape;
    bench.run(fixed);
    bench.log();
    for (uint32_t extent : {8U, 16U, 8U}) {
        shape.n_dims = 1;
        shape.dims[0] = extent;
        bench.run(dynamic);
        CHECK_EQ(bench.log(), std::string("set shapes, ") + calls_of_first_run);
        for (const ezr_task *task : {&dynamic.task, &fixed.task, &dynamic.task}) {
            bench.run(task);
            CHECK_EQ(bench.log(), calls_of_later_run);
        }
    }
    CHECK(fixed.is_done() && dynamic.is_done());
}

/* A difference in anything that the runtime looks at. */
TEST(shapes_differ_in_their_extents_and_their_number_and_their_layout_and_their_tensors) {
    rknn_tensor_attr first{};
    first.n_dims = 2;
    first.dims[0] = first.dims[1] = 3;
    const auto differs = [&](auto change) {
        Bench bench;
        DirectJob job(bench.input, bench.output);
        rknn_tensor_attr shape = first;
        job.task.shapes = &shape;
        bench.run(job);
        change(shape);
        bench.run(job);
        return bench.runtime.calls(EZR_CALL_SET_INPUT_SHAPES) == 2;
    };
    CHECK(differs([](rknn_tensor_attr &shape) { shape.dims[1] = 4; }));
    CHECK(differs([](rknn_tensor_attr &shape) { shape.n_dims = 1; }));
    CHECK(differs([](rknn_tensor_attr &shape) { shape.fmt = RKNN_TENSOR_NHWC; }));
    CHECK(differs([](rknn_tensor_attr &shape) { std::strcpy(shape.name, "other"); }));
    CHECK(!differs([](rknn_tensor_attr &shape) { shape.dims[2] = 4; }));  // there are only two
}

/* A context's shapes are unknown after a refusal. */
TEST(shapes_that_were_refused_are_set_again) {
    Bench bench;
    DirectJob job(bench.input, bench.output);
    rknn_tensor_attr shape{};
    job.task.shapes = &shape;
    bench.run(job);
    shape.n_dims = 1;
    bench.runtime.fail(EZR_CALL_SET_INPUT_SHAPES, Failure::code, RKNN_ERR_FAIL);
    CHECK_EQ(bench.run(job).call, EZR_CALL_SET_INPUT_SHAPES);
    bench.runtime.fail(EZR_CALL_NONE, Failure::none);
    shape.n_dims = 0;
    bench.log();
    CHECK_EQ(bench.run(job).code, RKNN_SUCC);
    CHECK_EQ(bench.log(), std::string("set shapes, ") + calls_of_first_run);
}

/* A task by copy replaces the context's bindings; the next direct one binds them again. */
TEST(everything_is_bound_again_after_a_task_by_copy) {
    Bench bench;
    DirectJob direct(bench.input, bench.output, 5);
    Job by_copy(7);
    bench.run(direct);
    bench.run(by_copy);
    CHECK(by_copy.is_done());
    bench.log();
    bench.run(direct);
    CHECK_EQ(bench.log(), calls_of_first_run);
    CHECK(direct.is_done());
}

/* A failed binding is retried by the next task, even if another was bound before; the others stay. */
TEST(a_failed_bind_is_forgotten) {
    Bench bench;
    const Memory other{output_name, 3};
    DirectJob first(bench.input, bench.output, 10), second(bench.input, other, 20);
    bench.run(first);
    bench.runtime.fail(EZR_CALL_SET_IO_MEM, Failure::code, RKNN_ERR_FAIL);
    CHECK_EQ(bench.run(second).call, EZR_CALL_SET_IO_MEM);
    bench.runtime.fail(EZR_CALL_NONE, Failure::none);
    bench.log();
    bench.run(first);
    CHECK_EQ(bench.log(), "to device, bind out, run, from device");
    CHECK(first.is_done());
    CHECK(second.is_untouched());
}

/* A fresh context has no bindings, whatever the one before it had. */
TEST(a_replaced_worker_binds_again) {
    Bench bench(FakeRuntime::functions(), short_timeout_ms);
    DirectJob first(bench.input, bench.output, 1), stuck(bench.input, bench.output, 2),
        later(bench.input, bench.output, 3);
    CHECK_EQ(bench.run(first).code, RKNN_SUCC);
    bench.runtime.hold(context_of(0));
    ezr_submit(bench.engine, stuck, -1);
    next(bench.engine, EZR_STALLED);
    next(bench.engine);
    CHECK_EQ(ezr_replace_worker(bench.engine, 0, fresh_context), EZR_OK);
    bench.runtime.let_go(context_of(0));
    next(bench.engine, EZR_RELEASED);
    CHECK_EQ(bench.run(later).code, RKNN_SUCC);
    CHECK_EQ(bench.runtime.log(fresh_context), calls_of_first_run);
    CHECK(later.is_done());
}
