/* Direct I/O: tasks whose tensors lie in memory that is bound to the context. */
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <new>

#include "check.h"
#include "fake_runtime.h"

namespace {

std::atomic<size_t> allocations{0};

}  // namespace

/* Everything that this program and the engine's library allocate goes through here. */
void *operator new(size_t size) {
    ++allocations;
    if (void *memory = std::malloc(size)) return memory;
    throw std::bad_alloc();
}
void operator delete(void *memory) noexcept {
    std::free(memory);
}
void operator delete(void *memory, size_t) noexcept {
    std::free(memory);
}

namespace {

/* The four bytes of a number, as they are. */
ezr_conversion copying_a_number() {
    ezr_conversion conversion{};
    conversion.n = conversion.c = conversion.h = 1;
    conversion.w = sizeof(int32_t);
    conversion.from.type = conversion.to.type = RKNN_TENSOR_UINT8;
    conversion.from.format = conversion.to.format = RKNN_TENSOR_NCHW;
    conversion.rule = EZR_RULE_COPY;
    return conversion;
}

/* Memory for a number, for the same tensor of each worker's context, behind a gap of `offset` bytes. */
class Memory {
  public:
    Memory(const char *name, uint64_t binding, uint32_t workers = 1, int32_t offset = 0)
        : conversion_(copying_a_number()), binding_(binding), bytes_(workers), structs_(workers), pointers_(workers) {
        std::snprintf(attr_.name, sizeof attr_.name, "%s", name);
        for (uint32_t i = 0; i < workers; ++i) {
            bytes_[i].resize(static_cast<size_t>(offset) + sizeof(int32_t));
            structs_[i].virt_addr = bytes_[i].data();
            structs_[i].offset = offset;
            structs_[i].size = sizeof(int32_t);
            pointers_[i] = &structs_[i];
        }
    }
    Memory(const Memory &) = delete;
    Memory &operator=(const Memory &) = delete;

    /* Going through this memory, from or to `array`; NULL: without a conversion. */
    ezr_io io(int32_t *array) const {
        return {&attr_, pointers_.data(), binding_, array == nullptr ? nullptr : &conversion_, array, 1};
    }
    int32_t read(uint32_t worker = 0) const {
        int32_t number;
        std::memcpy(&number, bytes_[worker].data() + structs_[worker].offset, sizeof number);
        return number;
    }
    void write(int32_t number, uint32_t worker = 0) {
        std::memcpy(bytes_[worker].data() + structs_[worker].offset, &number, sizeof number);
    }
    void take_away(uint32_t worker) { pointers_[worker] = nullptr; }

  private:
    rknn_tensor_attr attr_{};
    ezr_conversion conversion_;
    uint64_t binding_;
    std::vector<std::vector<char>> bytes_;
    std::vector<rknn_tensor_mem> structs_;
    std::vector<rknn_tensor_mem *> pointers_;
};

/* A task that carries a number in and gets number + 1 out, both through bound memory. Must outlive its completion. */
class DirectJob {
  public:
    DirectJob(const Memory &input, const Memory &output, int32_t number = 1) : in_(number) {
        inputs[0] = input.io(&in_);
        outputs[0] = output.io(&out_);
        task.direct_inputs = inputs;
        task.direct_outputs = outputs;
        task.input_count = task.output_count = 1;
    }
    DirectJob(const DirectJob &) = delete;
    DirectJob &operator=(const DirectJob &) = delete;
    operator const ezr_task *() const { return &task; }
    bool is_done() const { return out_ == in_ + 1; }
    bool is_untouched() const { return out_ == INT32_MIN; }

    ezr_task task{};
    ezr_io inputs[1];
    ezr_io outputs[1];

  private:
    int32_t in_;
    int32_t out_ = INT32_MIN;
};

/* One core with one context, and memory for its input and output. */
struct Bench {
    FakeRuntime runtime;
    TestEngine engine;
    Memory input{kInput, 1};
    Memory output{kOutput, 2};

    explicit Bench(const ezr_runtime &functions = FakeRuntime::functions(), int32_t run_timeout_ms = 0)
        : engine(layout(run_timeout_ms), functions) {}

    static Layout layout(int32_t run_timeout_ms) {
        Layout layout;
        layout.run_timeout_ms = run_timeout_ms;
        return layout;
    }
    ezr_result run(const ezr_task *task) {
        ezr_result result{};
        CHECK_EQ(ezr_run(engine, task, -1, 0, &result), EZR_OK);
        return result;
    }
    std::string log() { return runtime.log(context_of(0)); }
};

/* Long enough that nothing but a context that is held can exceed it, on a busy machine under a sanitizer too. */
constexpr int32_t kTimeoutMs = 150;
constexpr rknn_context kFresh = 5000;

constexpr char kFirstRun[] = "bind in, to device, bind out, run, from device";
constexpr char kLaterRun[] = "to device, run, from device";

}  // namespace

/* The whole of a run in its order: everything is bound before it, inputs are synchronised before and outputs after. */
TEST(a_number_goes_through_bound_memory) {
    Bench bench;
    DirectJob job(bench.input, bench.output, 41);
    const ezr_result result = bench.run(job);
    CHECK_EQ(result.code, RKNN_SUCC);
    CHECK_EQ(result.call, EZR_CALL_NONE);
    CHECK(result.started_ns <= result.input_ns && result.input_ns <= result.npu_ns);
    CHECK(result.npu_ns <= result.finished_ns);
    CHECK_EQ(bench.log(), kFirstRun);
    CHECK(job.is_done());
}

/* What a context has bound stays bound: later tasks only convert and synchronise. */
TEST(memory_is_bound_once) {
    Bench bench;
    for (int32_t i = 0; i < 5; ++i) {
        DirectJob job(bench.input, bench.output, i);
        bench.run(job);
        CHECK(job.is_done());
        CHECK_EQ(bench.log(), i == 0 ? kFirstRun : kLaterRun);
    }
}

/* Only the tensor whose binding is another one is bound anew, and so it is when the first one comes back. */
TEST(another_binding_is_bound) {
    Bench bench;
    const Memory other{kInput, 3};
    DirectJob first(bench.input, bench.output, 10), second(other, bench.output, 20),
        third(bench.input, bench.output, 30);
    bench.run(first);
    CHECK_EQ(bench.log(), kFirstRun);
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
    const Memory input{kInput, 1, 4}, output{kOutput, 2, 4};
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

/* New shapes change what the context wants to have bound: everything is bound anew after they were set. */
TEST(new_shapes_have_everything_bound_anew) {
    Bench bench;
    DirectJob fixed(bench.input, bench.output), dynamic(bench.input, bench.output);
    rknn_tensor_attr shape{};
    dynamic.task.shapes = &shape;
    bench.run(fixed);
    bench.log();
    for (int i = 0; i < 2; ++i) {
        bench.run(dynamic);
        CHECK_EQ(bench.log(), std::string("set shapes, ") + kFirstRun);
    }
    bench.run(fixed);
    CHECK_EQ(bench.log(), kLaterRun);
    CHECK(fixed.is_done() && dynamic.is_done());
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
    CHECK_EQ(bench.log(), kFirstRun);
    CHECK(direct.is_done());
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

/* Where a task says both, direct I/O it is. */
TEST(direct_io_goes_before_copying) {
    Bench bench;
    DirectJob job(bench.input, bench.output, 5);
    Job by_copy(7);
    job.task.inputs = by_copy.task.inputs;
    job.task.outputs = by_copy.task.outputs;
    bench.run(job);
    CHECK_EQ(bench.log(), kFirstRun);
    CHECK(job.is_done() && !by_copy.is_done());
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
    CHECK_EQ(bench.log(), kFirstRun);
}

/* The tensor begins `offset` bytes behind `virt_addr`. */
TEST(the_offset_of_the_memory_counts) {
    Bench bench;
    const Memory input{kInput, 3, 1, 12}, output{kOutput, 4, 1, 20};
    DirectJob job(input, output, 64);
    bench.run(job);
    CHECK(job.is_done());
    CHECK_EQ(input.read(), 64);
    CHECK_EQ(output.read(), 65);
}

/* Nothing is synchronised that need not be. */
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

/* Whatever goes wrong in the calls of direct I/O is reported with the call; nothing follows it; and the next task is
 * not affected. */
TEST(a_failing_call_of_direct_io_is_named) {
    const auto check = [](int32_t call, Failure how, int expected) {
        Bench bench;
        DirectJob job(bench.input, bench.output);
        bench.runtime.fail(call, how, RKNN_ERR_PARAM_INVALID);
        const ezr_result result = bench.run(job);
        CHECK_EQ(result.code, expected);
        CHECK_EQ(result.call, call);
        CHECK_EQ(std::string(result.message).empty(), how != Failure::kCode);
        CHECK_EQ(bench.runtime.calls(EZR_CALL_RUN), 0);
        bench.runtime.fail(EZR_CALL_NONE, Failure::kNone);
        CHECK_EQ(bench.run(job).code, RKNN_SUCC);
        CHECK(job.is_done());
    };
    for (int32_t call : {EZR_CALL_SET_IO_MEM, EZR_CALL_MEM_SYNC}) {
        check(call, Failure::kCode, RKNN_ERR_PARAM_INVALID);
        check(call, Failure::kBadAlloc, RKNN_ERR_MALLOC_FAIL);
        check(call, Failure::kException, RKNN_ERR_FAIL);
    }
}

/* What could not be bound is tried again by the next task, even where something was bound before; the others stay. */
TEST(a_failed_bind_is_forgotten) {
    Bench bench;
    const Memory other{kOutput, 3};
    DirectJob first(bench.input, bench.output, 10), second(bench.input, other, 20);
    bench.run(first);
    bench.runtime.fail(EZR_CALL_SET_IO_MEM, Failure::kCode, RKNN_ERR_FAIL);
    CHECK_EQ(bench.run(second).call, EZR_CALL_SET_IO_MEM);
    bench.runtime.fail(EZR_CALL_NONE, Failure::kNone);
    bench.log();
    bench.run(first);
    CHECK_EQ(bench.log(), "to device, bind out, run, from device");
    CHECK(first.is_done());
    CHECK(second.is_untouched());
}

/* Outputs of which the CPU may see stale bytes are not handed on. */
TEST(an_output_that_could_not_be_synchronised_is_not_converted) {
    Bench bench;
    DirectJob job(bench.input, bench.output);
    job.inputs[0].sync = 0;
    bench.runtime.fail(EZR_CALL_MEM_SYNC, Failure::kCode, RKNN_ERR_FAIL);
    const ezr_result result = bench.run(job);
    CHECK_EQ(result.call, EZR_CALL_MEM_SYNC);
    CHECK(result.input_ns <= result.npu_ns && result.npu_ns <= result.finished_ns);
    CHECK(job.is_untouched());
}

/* A worker for which the host has no memory fails its task with what the runtime says to that. */
TEST(a_worker_without_memory_fails_the_task) {
    Bench bench;
    bench.input.take_away(0);
    DirectJob job(bench.input, bench.output);
    const ezr_result result = bench.run(job);
    CHECK_EQ(result.code, RKNN_ERR_PARAM_INVALID);
    CHECK_EQ(result.call, EZR_CALL_SET_IO_MEM);
}

/* A direct task that stands still ends like any other; once its call has come back, nothing of it is touched. */
TEST(a_direct_task_that_stands_still_is_ended) {
    struct Case {
        int32_t call;
        bool syncs_input;
        const char *log; /* the call that it stood in is the last */
    };
    const Case cases[] = {
        {EZR_CALL_SET_IO_MEM, true, "bind in"},
        {EZR_CALL_MEM_SYNC, true, "bind in, to device"},
        {EZR_CALL_RUN, true, "bind in, to device, bind out, run"},
        {EZR_CALL_MEM_SYNC, false, "bind in, bind out, run, from device"},
    };
    for (const Case &one : cases) {
        Bench bench(FakeRuntime::functions(), kTimeoutMs);
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

/* Without a call of the runtime between the run and the conversion, the conversion itself is left out. */
TEST(an_output_is_not_converted_for_a_task_that_was_ended) {
    Bench bench(FakeRuntime::functions(), kTimeoutMs);
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

/* A fresh context has nothing bound, whatever the one before it had. */
TEST(a_replaced_worker_binds_anew) {
    Bench bench(FakeRuntime::functions(), kTimeoutMs);
    DirectJob first(bench.input, bench.output, 1), stuck(bench.input, bench.output, 2),
        later(bench.input, bench.output, 3);
    CHECK_EQ(bench.run(first).code, RKNN_SUCC);
    bench.runtime.hold(context_of(0));
    ezr_submit(bench.engine, stuck, -1);
    next(bench.engine, EZR_STALLED);
    next(bench.engine);
    CHECK_EQ(ezr_replace_worker(bench.engine, 0, kFresh), EZR_OK);
    bench.runtime.let_go(context_of(0));
    next(bench.engine, EZR_RELEASED);
    CHECK_EQ(bench.run(later).code, RKNN_SUCC);
    CHECK_EQ(bench.runtime.log(kFresh), kFirstRun);
    CHECK(later.is_done());
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

/* A task that could not run is refused before it is accepted. */
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

/* So is every direct task where the runtime cannot bind. */
TEST(a_runtime_that_cannot_bind_refuses_direct_tasks) {
    ezr_runtime old = FakeRuntime::functions();
    old.set_io_mem = nullptr;
    Bench bench(old);
    DirectJob job(bench.input, bench.output);
    Job by_copy;
    CHECK_EQ(ezr_submit(bench.engine, job, 0), int64_t{EZR_INVALID});
    CHECK_EQ(bench.run(by_copy).code, RKNN_SUCC);
}

/* A direct task costs no more memory than one by copy: what is bound is remembered where the last task left it. */
TEST(a_direct_run_allocates_no_more_than_one_by_copy) {
    ezr_runtime quiet{};  // the fake runtime would allocate itself
    quiet.inputs_set = [](rknn_context, uint32_t, rknn_input[]) { return RKNN_SUCC; };
    quiet.run = [](rknn_context, rknn_run_extend *) { return RKNN_SUCC; };
    quiet.outputs_get = [](rknn_context, uint32_t, rknn_output[], rknn_output_extend *) { return RKNN_SUCC; };
    quiet.outputs_release = [](rknn_context, uint32_t, rknn_output[]) { return RKNN_SUCC; };
    quiet.set_io_mem = [](rknn_context, rknn_tensor_mem *, rknn_tensor_attr *) { return RKNN_SUCC; };
    Bench bench(quiet);
    DirectJob direct(bench.input, bench.output);
    Job by_copy;
    const auto allocations_of = [&](const ezr_task *task) {
        bench.run(task);  // the first one binds
        const size_t before = allocations;
        bench.run(task);
        return allocations - before;
    };
    CHECK(allocations_of(direct) <= allocations_of(by_copy));
}
