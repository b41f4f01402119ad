/* SPDX-License-Identifier: Apache-2.0 */
/* Direct I/O: tasks with memory bound to their context. */
#include <cstring>
#include <string>

#include "tests/check.h"
#include "tests/direct_job.h"
#include "tests/fake_runtime.h"

using namespace ez_rknn::tests;

/* The calls of a run, in order: everything is bound before it, inputs are synchronised before and outputs after. */
TEST(a_number_goes_through_bound_memory) {
    Bench bench;
    DirectJob job(bench.input, bench.output, 41);
    const ezr_result result = bench.run(job);
    CHECK_EQ(result.code, RKNN_SUCC);
    CHECK_EQ(result.call, EZR_CALL_NONE);
    CHECK(result.started_ns <= result.input_ns && result.input_ns <= result.npu_ns);
    CHECK(result.npu_ns <= result.finished_ns);
    CHECK_EQ(bench.log(), calls_of_first_run);
    CHECK(job.is_done());
}

/* Without a conversion the memory is used as it is: the host has filled it, and reads it itself. */
TEST(without_conversion_the_memory_is_used_as_it_is) {
    Bench bench;
    DirectJob job(bench.input, bench.output);
    job.inputs[0] = bench.input.io(nullptr);
    job.outputs[0] = bench.output.io(nullptr);
    bench.input.write(8);
    bench.run(job);
    CHECK_EQ(bench.output.read(), 9);
    CHECK_EQ(bench.log(), calls_of_first_run);
}

/* The tensor begins `offset` bytes after `virt_addr`. */
TEST(the_offset_of_the_memory_counts) {
    Bench bench;
    const Memory input{input_name, 3, 1, 12}, output{output_name, 4, 1, 20};
    DirectJob job(input, output, 64);
    bench.run(job);
    CHECK(job.is_done());
    CHECK_EQ(input.read(), 64);
    CHECK_EQ(output.read(), 65);
}

/* Memory that needs no synchronisation gets none. */
TEST(memory_is_synchronised_only_where_asked) {
    Bench bench;
    DirectJob job(bench.input, bench.output);
    job.inputs[0].sync = 0;
    bench.run(job);
    CHECK_EQ(bench.log(), "bind in, bind out, run, from device");
    job.outputs[0].sync = 0;
    bench.run(job);
    CHECK_EQ(bench.log(), "run");
    CHECK(job.is_done());
}

/* Old runtimes have no call for it. */
TEST(a_runtime_without_synchronisation_is_served) {
    ezr_runtime old = FakeRuntime::functions();
    old.mem_sync = nullptr;
    Bench bench(old);
    DirectJob job(bench.input, bench.output);
    CHECK_EQ(bench.run(job).code, RKNN_SUCC);
    CHECK_EQ(bench.log(), "bind in, bind out, run");
    CHECK(job.is_done());
}

/* The inputs by copy and the outputs direct, and the reverse: each forgets only its own half. */
TEST(one_half_may_go_by_copy) {
    Bench bench;
    DirectJob direct(bench.input, bench.output, 5), direct_input(bench.input, bench.output, 6),
        direct_output(bench.input, bench.output, 7);
    Job by_copy(7);
    direct_input.task.direct_outputs = nullptr;
    direct_input.task.outputs = by_copy.task.outputs;
    direct_output.task.direct_inputs = nullptr;
    direct_output.task.inputs = by_copy.task.inputs;

    bench.run(direct_input);
    CHECK_EQ(bench.log(), "bind in, to device, run, get outputs");
    CHECK_EQ(*static_cast<const int32_t *>(by_copy.task.outputs->buf), 7);
    bench.run(direct);
    CHECK_EQ(bench.log(), "to device, bind out, run, from device");
    bench.run(direct_output);
    CHECK_EQ(bench.log(), "set inputs, run, from device");
    CHECK(direct_output.is_done());
    bench.run(direct);
    CHECK_EQ(bench.log(), "bind in, to device, run, from device");
}

/* If a task has both, direct I/O is used. */
TEST(direct_io_goes_before_copying) {
    Bench bench;
    DirectJob job(bench.input, bench.output, 5);
    Job by_copy(7);
    job.task.inputs = by_copy.task.inputs;
    job.task.outputs = by_copy.task.outputs;
    bench.run(job);
    CHECK_EQ(bench.log(), calls_of_first_run);
    CHECK(job.is_done() && !by_copy.is_done());
}

/* The arrays of a task are copied at submission: the host may reuse its own at once. */
TEST(the_arrays_of_a_direct_task_are_copied) {
    Bench bench;
    DirectJob first(bench.input, bench.output, 1), second(bench.input, bench.output, 2);
    bench.runtime.occupy(bench.engine, first);
    ezr_submit(bench.engine, second, -1);
    std::memset(second.inputs, 0, sizeof second.inputs);
    std::memset(second.outputs, 0, sizeof second.outputs);
    bench.runtime.let_go(context_of(0));
    for (int i = 0; i < 2; ++i) CHECK_EQ(next(bench.engine).code, RKNN_SUCC);
    CHECK(first.is_done() && second.is_done());
}
