/* What a context is bound to, from one task of direct I/O to the next. */
#include <cstring>
#include <deque>
#include <string>

#include "tests/check.h"
#include "tests/direct_job.h"
#include "tests/fake_runtime.h"

using namespace ez_rknn::tests;

namespace {

/* Long enough that nothing but a context that is held can exceed it, on a busy machine under a sanitizer too. */
constexpr int32_t short_timeout_ms = 150;
constexpr rknn_context fresh_context = 5000;

}  // namespace

/* What a context has bound stays bound: later tasks only convert and synchronise. */
TEST(memory_is_bound_once) {
    Bench bench;
    for (int32_t i = 0; i < 5; ++i) {
        DirectJob job(bench.input, bench.output, i);
        bench.run(job);
        CHECK(job.is_done());
        CHECK_EQ(bench.log(), i == 0 ? calls_of_first_run : calls_of_later_run);
    }
}

/* Only the tensor whose binding is another one is bound anew, and so it is when the first one comes back. */
TEST(another_binding_is_bound) {
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

/* Each worker binds the memory that its own context knows, for itself. */
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

/* New shapes change what the context wants to have bound: everything is bound anew after they were set. The same again
 * change nothing. */
TEST(new_shapes_have_everything_bound_anew) {
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

/* Any of what the runtime goes by. */
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
    CHECK(!differs([](rknn_tensor_attr &shape) { shape.dims[2] = 4; }));  // there are but two
}

/* What the context has after a refusal is not known. */
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

/* A task that goes by copy takes the context's inputs and outputs back; the next direct one binds them again. */
TEST(a_task_by_copy_has_everything_bound_anew) {
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

/* What could not be bound is tried again by the next task, even where something was bound before; the others stay. */
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

/* A fresh context has nothing bound, whatever the one before it had. */
TEST(a_replaced_worker_binds_anew) {
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
