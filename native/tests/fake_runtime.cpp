/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fake_runtime.h"

#include <pthread.h>
#include <signal.h>

#include <cstdio>
#include <new>
#include <numeric>
#include <stdexcept>
#include <thread>
#include <utility>

#include "tests/check.h"

namespace ez_rknn::tests {

namespace {

FakeRuntime *current = nullptr;

std::string this_threads_name() {
    char name[16] = "";
    pthread_getname_np(pthread_self(), name, sizeof name);
    return name;
}

/* Counts unblocked signals among those that a program can block and that the threading library does not reserve. */
int this_threads_unblocked_signals() {
    sigset_t blocked;
    pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
    int count = 0;
    for (int signal : {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGALRM, SIGCHLD, SIGUSR1, SIGUSR2, SIGPIPE, SIGPROF}) {
        if (sigismember(&blocked, signal) == 0) ++count;
    }
    return count;
}

int set_input_shapes(rknn_context context, uint32_t, rknn_tensor_attr[]) {
    return current->set_input_shapes(context);
}
int inputs_set(rknn_context context, uint32_t, rknn_input inputs[]) {
    return current->inputs_set(context, *static_cast<int32_t *>(inputs[0].buf));
}
int run(rknn_context context, rknn_run_extend *) {
    return current->run(context);
}
int outputs_get(rknn_context context, uint32_t, rknn_output outputs[], rknn_output_extend *) {
    return current->outputs_get(context, static_cast<int32_t *>(outputs[0].buf));
}
int outputs_release(rknn_context, uint32_t, rknn_output[]) {
    return current->released();
}
int set_io_mem(rknn_context context, rknn_tensor_mem *memory, rknn_tensor_attr *attr) {
    return current->set_io_mem(context, memory, *attr);
}
int mem_sync(rknn_context context, rknn_tensor_mem *, rknn_mem_sync_mode mode) {
    return current->mem_sync(context, mode);
}

/* The message of this thread's last call only, as in the simulated runtime. */
thread_local std::string message;
const char *last_error() {
    return message.c_str();
}

}  // namespace

/* Marks a context as used by this thread. The lock is held at the beginning and the end, not in between. */
class FakeRuntime::InUse {
  public:
    InUse(FakeRuntime &runtime, Context &context) : context_(context) {
        if (context.in_use) ++runtime.overlaps_;
        context.in_use = true;
    }
    ~InUse() { context_.in_use = false; }
    InUse(const InUse &) = delete;
    InUse &operator=(const InUse &) = delete;

  private:
    Context &context_;
};

FakeRuntime::FakeRuntime() {
    CHECK(current == nullptr);
    current = this;
}
FakeRuntime::~FakeRuntime() {
    current = nullptr;
}

ezr_runtime FakeRuntime::functions() {
    ezr_runtime functions{};
    functions.set_input_shapes = tests::set_input_shapes;
    functions.inputs_set = tests::inputs_set;
    functions.run = tests::run;
    functions.outputs_get = tests::outputs_get;
    functions.outputs_release = outputs_release;
    functions.set_io_mem = tests::set_io_mem;
    functions.mem_sync = tests::mem_sync;
    functions.last_error = tests::last_error;
    return functions;
}

void FakeRuntime::hold(rknn_context context, int32_t call) {
    std::lock_guard lock(mutex_);
    contexts_[context].held_call = call;
}

void FakeRuntime::let_go(rknn_context context) {
    std::lock_guard lock(mutex_);
    contexts_[context].held_call = EZR_CALL_NONE;
    contexts_[context].hanging = false;
    changed_.notify_all();
}

void FakeRuntime::step(rknn_context context) {
    std::lock_guard lock(mutex_);
    contexts_[context].hanging = false;
    changed_.notify_all();
}

void FakeRuntime::wait_until_held(rknn_context context) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return contexts_[context].hanging; });
}

void FakeRuntime::occupy(ezr_engine *engine, const ezr_task *task, rknn_context context) {
    hold(context);
    CHECK(ezr_submit(engine, task, -1) >= 0);
    wait_until_held(context);
}

void FakeRuntime::fail(int32_t call, Failure how, int code) {
    std::lock_guard lock(mutex_);
    failing_call_ = call;
    failure_ = how;
    failure_code_ = code;
}

std::vector<Run> FakeRuntime::runs() {
    std::lock_guard lock(mutex_);
    return runs_;
}

size_t FakeRuntime::run_count(rknn_context context) {
    std::lock_guard lock(mutex_);
    return contexts_[context].runs;
}

int FakeRuntime::calls(int32_t call) {
    std::lock_guard lock(mutex_);
    return calls_.at(static_cast<size_t>(call));
}

std::string FakeRuntime::log(rknn_context context) {
    std::lock_guard lock(mutex_);
    return std::exchange(contexts_[context].log, std::string());
}

int FakeRuntime::releases() {
    std::lock_guard lock(mutex_);
    return releases_;
}

int FakeRuntime::overlaps() {
    std::lock_guard lock(mutex_);
    return overlaps_;
}

std::set<std::string> FakeRuntime::thread_names() {
    std::lock_guard lock(mutex_);
    return thread_names_;
}

int FakeRuntime::unblocked_signals() {
    std::lock_guard lock(mutex_);
    return unblocked_signals_;
}

int FakeRuntime::called(int32_t call, rknn_context context) {
    std::lock_guard lock(mutex_);
    const InUse in_use(*this, contexts_[context]);
    ++calls_.at(static_cast<size_t>(call));
    message.clear();
    if (call != failing_call_) return RKNN_SUCC;
    message = std::string(300, 'x');
    if (failure_ == Failure::bad_alloc) throw std::bad_alloc();
    if (failure_ == Failure::exception) throw std::runtime_error("a runtime written in C++ may do this");
    return failure_code_;
}

int FakeRuntime::set_input_shapes(rknn_context context) {
    const int code = called(EZR_CALL_SET_INPUT_SHAPES, context);
    std::lock_guard lock(mutex_);
    Context &state = contexts_[context];
    note(state, "set shapes");
    state.bound_input = state.bound_output = nullptr;
    return code;
}

int FakeRuntime::inputs_set(rknn_context context, int32_t number) {
    const int code = called(EZR_CALL_INPUTS_SET, context);
    std::unique_lock lock(mutex_);
    Context &state = contexts_[context];
    const InUse in_use(*this, state);
    note(state, "set inputs");
    state.bound_input = nullptr;
    state.number = number;
    hang_if_held(lock, state, EZR_CALL_INPUTS_SET);
    return code;
}

int FakeRuntime::run(rknn_context context) {
    const int code = called(EZR_CALL_RUN, context);
    std::unique_lock lock(mutex_);
    Context &state = contexts_[context];
    const InUse in_use(*this, state);
    thread_names_.insert(this_threads_name());
    unblocked_signals_ = this_threads_unblocked_signals();
    note(state, "run");
    if (state.bound_input) state.number = *state.bound_input;
    runs_.push_back({context, state.number});
    ++state.runs;
    hang_if_held(lock, state, EZR_CALL_RUN);
    if (code == RKNN_SUCC && state.bound_output) *state.bound_output = state.number + 1;
    return code;
}

int FakeRuntime::set_io_mem(rknn_context context, rknn_tensor_mem *memory, const rknn_tensor_attr &attr) {
    const bool is_input = std::string(attr.name) == input_name;
    const int code = called(EZR_CALL_SET_IO_MEM, context);
    std::unique_lock lock(mutex_);
    Context &state = contexts_[context];
    const InUse in_use(*this, state);
    note(state, std::string("bind ") + attr.name);
    hang_if_held(lock, state, EZR_CALL_SET_IO_MEM);
    if (memory == nullptr) return RKNN_ERR_PARAM_INVALID;
    if (code != RKNN_SUCC) return code;
    (is_input ? state.bound_input : state.bound_output) =
        reinterpret_cast<int32_t *>(static_cast<char *>(memory->virt_addr) + memory->offset);
    return code;
}

int FakeRuntime::mem_sync(rknn_context context, rknn_mem_sync_mode mode) {
    const int code = called(EZR_CALL_MEM_SYNC, context);
    std::unique_lock lock(mutex_);
    Context &state = contexts_[context];
    const InUse in_use(*this, state);
    note(state, mode == RKNN_MEMORY_SYNC_TO_DEVICE ? "to device" : "from device");
    hang_if_held(lock, state, EZR_CALL_MEM_SYNC);
    return code;
}

int FakeRuntime::outputs_get(rknn_context context, int32_t *number) {
    const int code = called(EZR_CALL_OUTPUTS_GET, context);
    std::unique_lock lock(mutex_);
    Context &state = contexts_[context];
    const InUse in_use(*this, state);
    note(state, "get outputs");
    hang_if_held(lock, state, EZR_CALL_OUTPUTS_GET);
    if (code == RKNN_SUCC) *number = state.number + 1;
    return code;
}

void FakeRuntime::note(Context &context, const std::string &call) {
    context.log += (context.log.empty() ? "" : ", ") + call;
}

void FakeRuntime::hang_if_held(std::unique_lock<std::mutex> &lock, Context &context, int32_t call) {
    if (context.held_call != call) return;
    context.hanging = true;
    changed_.notify_all();
    changed_.wait(lock, [&] { return !context.hanging; });
}

int FakeRuntime::released() {
    std::lock_guard lock(mutex_);
    message.clear();
    ++releases_;
    return RKNN_SUCC;
}

Layout watched(uint32_t cores, uint32_t contexts_per_core) {
    Layout layout;
    layout.cores = cores;
    layout.contexts_per_core = contexts_per_core;
    layout.routes.resize(cores);
    std::iota(layout.routes.begin(), layout.routes.end(), 0);
    layout.run_timeout_ms = watchdog_ms;
    return layout;
}

TestEngine::TestEngine(const Layout &layout, const ezr_runtime &functions) {
    std::vector<ezr_worker> workers;
    for (uint32_t core = 0; core < layout.cores; ++core) {
        for (uint32_t index = 0; index < layout.contexts_per_core; ++index) {
            workers.push_back({context_of(core, index), core});
        }
    }
    ezr_config config{};
    config.runtime = functions;
    config.workers = workers.data();
    config.worker_count = static_cast<uint32_t>(workers.size());
    config.group_count = layout.cores;
    config.routes = layout.routes.data();
    config.route_count = static_cast<uint32_t>(layout.routes.size());
    config.queue_capacity = layout.queue_capacity;
    config.completion_capacity = layout.completion_capacity;
    config.ordered = layout.ordered ? 1 : 0;
    config.dispatch = layout.dispatch;
    config.pacing = layout.pacing ? 1 : 0;
    config.run_timeout_ms = layout.run_timeout_ms;
    CHECK_EQ(ezr_create(&config, &engine_), EZR_OK);
}

std::vector<rknn_context> TestEngine::destroy(int32_t timeout_ms) {
    std::vector<rknn_context> left(16);
    left.resize(ezr_destroy(engine_, timeout_ms, left.data(), static_cast<uint32_t>(left.size())));
    engine_ = nullptr;
    return left;
}

Job::Job(int32_t number) : in_(number) {
    input_.buf = &in_;
    input_.size = sizeof in_;
    input_.type = RKNN_TENSOR_INT32;
    input_.fmt = RKNN_TENSOR_UNDEFINED;
    output_.is_prealloc = 1;
    output_.buf = &out_;
    output_.size = sizeof out_;
    task.inputs = &input_;
    task.outputs = &output_;
    task.input_count = task.output_count = 1;
}

void queue_up(FakeRuntime &runtime, ezr_engine *engine, const std::vector<Job> &jobs) {
    runtime.occupy(engine, jobs[0]);
    for (size_t i = 1; i < jobs.size(); ++i) CHECK(ezr_submit(engine, jobs[i], 0) > 0);
}

ezr_result stall(FakeRuntime &runtime, ezr_engine *engine, const ezr_task *task, rknn_context context) {
    runtime.occupy(engine, task, context);
    return next(engine, EZR_STALLED);
}

void check_that_room_left_by_runs_is_announced(FakeRuntime &runtime, ezr_engine *engine) {
    Job runs[2], refused;
    std::vector<std::thread> callers;
    const auto call = [&](Job &job) {
        callers.emplace_back([&] {
            ezr_result result{};
            CHECK_EQ(ezr_run(engine, job, -1, 0, &result), EZR_OK);
        });
    };
    runtime.hold(context_of(0));
    call(runs[0]);
    runtime.wait_until_held(context_of(0));
    call(runs[1]);
    wait_until_queued(engine, 1);
    CHECK_EQ(ezr_submit(engine, refused, 0), int64_t{EZR_TIMEOUT});
    ezr_notify_room(engine);
    std::thread collector([&] { next(engine, EZR_ROOM); });
    runtime.let_go(context_of(0));
    collector.join();
    for (std::thread &caller : callers) caller.join();
}

ezr_result next(ezr_engine *engine, int32_t status) {
    ezr_result result{};
    CHECK_EQ(ezr_next_completion(engine, -1, &result), status);
    return result;
}

ezr_group_stats stats_of(ezr_engine *engine) {
    std::vector<ezr_group_stats> stats(8);
    ezr_stats(engine, stats.data(), nullptr);
    return stats[0];
}

void wait_until_queued(ezr_engine *engine, uint32_t count) {
    while (stats_of(engine).queued < count) continue;
}

}  // namespace ez_rknn::tests
