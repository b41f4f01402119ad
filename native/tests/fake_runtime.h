/* SPDX-License-Identifier: Apache-2.0 */
/* An NPU runtime that the test controls step by step, and an engine on top of it.
 *
 * Nothing here takes time and nothing sleeps: a run ends at once, or hangs in its context until the test releases
 * it. */
#pragma once

#include <array>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "ez_rknn_engine.h"

namespace ez_rknn::tests {

/* The `index`-th context of a core. */
constexpr rknn_context context_of(uint32_t core, uint32_t index = 0) {
    return core * 100 + index + 1;
}

/* A run that reached a context, with the number from the task's input. */
struct Run {
    rknn_context context;
    int32_t number;
};

/* The ways in which a call fails. */
enum class Failure { none, code, bad_alloc, exception };

/* There is one at a time: the table of functions carries no pointer to it. */
class FakeRuntime {
  public:
    FakeRuntime();
    ~FakeRuntime();

    static ezr_runtime functions();

    /* Makes runs on this context, or other calls (EZR_CALL_*), hang from now on, until released. */
    void hold(rknn_context context, int32_t call = EZR_CALL_RUN);
    void let_go(rknn_context context);
    /* Releases the one call that hangs on this context; the next one will hang again. */
    void step(rknn_context context);
    /* Returns once a call hangs on this context. */
    void wait_until_held(rknn_context context);

    /* Submits a task for the idle context, and returns once it hangs there. */
    void occupy(ezr_engine *engine, const ezr_task *task, rknn_context context = context_of(0));

    /* Makes the call (EZR_CALL_*) end like this from now on. */
    void fail(int32_t call, Failure how, int code = 0);

    std::vector<Run> runs();
    size_t run_count(rknn_context context);
    int calls(int32_t call);
    int releases();
    /* The number of calls on a context that another thread was using. */
    int overlaps();
    std::set<std::string> thread_names();
    /* The number of signals that the thread of the last run had unblocked. */
    int unblocked_signals();

    /* Returns and clears the calls on this context, such as "bind in, to device, bind out, run, from device". */
    std::string log(rknn_context context);

    /* The functions of the table; `numbers` are the inputs' or the outputs' buffers. */
    int called(int32_t call, rknn_context context);
    int run(rknn_context context);
    int set_input_shapes(rknn_context context);
    int inputs_set(rknn_context context, int32_t number);
    int outputs_get(rknn_context context, int32_t *number);
    int released();
    int set_io_mem(rknn_context context, rknn_tensor_mem *memory, const rknn_tensor_attr &attr);
    int mem_sync(rknn_context context, rknn_mem_sync_mode mode);

  private:
    struct Context {
        int32_t *bound_input = nullptr; /* where a run reads its number, if not from the buffers of inputs_set */
        int32_t *bound_output = nullptr;
        std::string log;
        bool in_use = false;
        int32_t held_call = EZR_CALL_NONE;
        bool hanging = false;
        int32_t number = 0;
        size_t runs = 0;
    };
    class InUse;

    /* Hangs if the context is held in this call. */
    void hang_if_held(std::unique_lock<std::mutex> &lock, Context &context, int32_t call);
    static void note(Context &context, const std::string &call);

    std::mutex mutex_; /* guards everything below */
    std::condition_variable changed_;
    std::map<rknn_context, Context> contexts_;
    std::vector<Run> runs_;
    std::array<int, EZR_CALL_MEM_SYNC + 1> calls_{};
    int releases_ = 0;
    int overlaps_ = 0;
    int32_t failing_call_ = EZR_CALL_NONE;
    Failure failure_ = Failure::none;
    int failure_code_ = 0;
    std::set<std::string> thread_names_;
    int unblocked_signals_ = 0;
};

struct Layout {
    uint32_t cores = 1;
    uint32_t contexts_per_core = 1;
    std::vector<uint32_t> routes = {0};
    uint32_t queue_capacity = 8;
    uint32_t completion_capacity = 64;
    bool ordered = true;
    uint8_t dispatch = EZR_DISPATCH_MODULO;
    bool pacing = false;
    int32_t run_timeout_ms = 0;
};

/* So long that only a held context exceeds it, even on a busy machine under a sanitizer. */
constexpr int32_t watchdog_ms = 150;

/* A layout of cores under the watchdog, which get tasks in turn. */
Layout watched(uint32_t cores = 1, uint32_t contexts_per_core = 1);

/* The names by which the fake runtime, like the vendor's, identifies a binding. */
constexpr char input_name[] = "in";
constexpr char output_name[] = "out";

class TestEngine {
  public:
    explicit TestEngine(const Layout &layout, const ezr_runtime &functions = FakeRuntime::functions());
    ~TestEngine() { destroy(); }
    TestEngine(const TestEngine &) = delete;
    TestEngine &operator=(const TestEngine &) = delete;
    operator ezr_engine *() { return engine_; }
    /* Returns the contexts that were left behind. */
    std::vector<rknn_context> destroy(int32_t timeout_ms = -1);

  private:
    ezr_engine *engine_ = nullptr;
};

/* A task with a number as input, and number + 1 as output. Must outlive its completion. */
class Job {
  public:
    explicit Job(int32_t number = 0);
    Job(const Job &) = delete;
    Job &operator=(const Job &) = delete;
    operator const ezr_task *() const { return &task; }
    bool is_done() const { return out_ == in_ + 1; }

    ezr_task task{};

  private:
    int32_t in_;
    int32_t out_ = INT32_MIN;
    rknn_input input_{};
    rknn_output output_{};
};

/* Occupies the only context with the first job, and queues the others. */
void queue_up(FakeRuntime &runtime, ezr_engine *engine, const std::vector<Job> &jobs);

/* Submits a task to a watched engine whose next worker is that of the context, and makes it hang there until the
 * watchdog reports it. */
ezr_result stall(FakeRuntime &runtime, ezr_engine *engine, const ezr_task *task, rknn_context context = context_of(0));

/* Fills the only context and its queue of one with runs of other threads, asks for room, releases the runs, and returns
 * when the room is announced. */
void check_that_room_left_by_runs_is_announced(FakeRuntime &runtime, ezr_engine *engine);

/* Returns the next completion or notice (EZR_STALLED, ...), which must come. */
ezr_result next(ezr_engine *engine, int32_t status = EZR_OK);

/* The statistics of the engine's first group. */
ezr_group_stats stats_of(ezr_engine *engine);
/* Returns once `count` tasks wait in the queue of that group. */
void wait_until_queued(ezr_engine *engine, uint32_t count);

/* The number of threads of this process that belong to an engine. */
int engine_threads();
/* Waits, as an ended thread is still on the kernel's list for a moment. One that does not end makes the test time
 * out. */
void wait_until_no_engine_threads();

}  // namespace ez_rknn::tests
