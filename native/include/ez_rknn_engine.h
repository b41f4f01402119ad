/* SPDX-License-Identifier: Apache-2.0 */
/* The engine: worker threads that keep every NPU core busy without the caller's interpreter.
 *
 * An engine is given contexts of an NPU runtime (the vendor's, the simulated one, anything with that ABI) in *groups*,
 * one group a core. Each group has its own bounded queue and as many worker threads as it has contexts; a context is
 * used by one thread at a time. ezr_config.dispatch decides which group runs a task.
 *
 * The engine never allocates tensors and never calls back into its host: a task carries the very structures that
 * rknn_inputs_set and rknn_outputs_get receive, or says which memory is bound to the context and how its bytes are
 * converted (ezr_io); the host collects its completion with ezr_next_completion. The host creates and destroys the
 * contexts and the memory.
 *
 * Buffers. The engine reads a task's inputs and writes its outputs until the task has *ended*: until its completion was
 * given out, or ezr_run or ezr_resume returned its result, or ezr_cancel's or ezr_leave's description says so. There is
 * one exception, and it concerns only engines with a run_timeout_ms: a task that the watchdog ended (code
 * RKNN_ERR_TIMEOUT) is still inside a call of the runtime, and its buffers and its context stay in use until
 * EZR_RELEASED comes with its tag. The same holds for everything that an ezr_io points to.
 *
 * Like rknn_abi.h, this file is read by C, by C++ and by Python's cffi (between the marker lines).
 */
#ifndef EZ_RKNN_ENGINE_H
#define EZ_RKNN_ENGINE_H

#include "ez_rknn_kernels.h"
#include "rknn_abi.h"

#ifdef __cplusplus
extern "C" {
#endif

/* cffi: begin */

/* Status of a call into the engine. Runtime errors of a task are not here: they are in ezr_result. */
#define EZR_OK 0
#define EZR_TIMEOUT -101     /* nothing happened in time; nothing was accepted */
#define EZR_CLOSED -102      /* the engine accepts no more work, or has no more completions to give */
#define EZR_INVALID -103     /* an argument is out of range */
#define EZR_NO_MEMORY -104   /* nothing was accepted */
#define EZR_NO_THREAD -105   /* the system refused another thread */
#define EZR_INTERRUPTED -106 /* a signal handler ran on the calling thread: see EZR_RUN_INTERRUPTIBLE */
#define EZR_BUSY -107        /* the task's buffers are still in use; EZR_RELEASED will come */

/* ezr_result.code of a task that ezr_cancel withdrew. */
#define EZR_CANCELLED -108

/* Notices that ezr_next_completion returns besides completions (EZR_OK). */
#define EZR_ROOM 1     /* after ezr_notify_room: a submission may succeed now */
#define EZR_STALLED 2  /* the watchdog set a worker aside; the host may replace it */
#define EZR_RELEASED 3 /* a late runtime call returned: buffers and context are free */

/* ezr_config.dispatch: which group runs a task. */
#define EZR_DISPATCH_MODULO 0       /* task i goes to routes[i % route_count], however busy the groups are */
#define EZR_DISPATCH_LEAST_LOADED 1 /* the first group with an idle context; else the first to have one */

/* Flags of ezr_run. */
#define EZR_RUN_INTERRUPTIBLE 1

/* With EZR_RUN_INTERRUPTIBLE, runs longer than this are left to the workers. */
#define EZR_INLINE_LIMIT_NS 5000000

/* The parts of a task's time, as ezr_stats reports them. */
#define EZR_STAGE_QUEUE 0  /* submitted_ns to started_ns */
#define EZR_STAGE_INPUT 1  /* started_ns to input_ns */
#define EZR_STAGE_NPU 2    /* input_ns to npu_ns */
#define EZR_STAGE_OUTPUT 3 /* npu_ns to finished_ns */
#define EZR_STAGE_TOTAL 4  /* submitted_ns to finished_ns */
#define EZR_STAGES 5

/* ezr_worker_health.state */
#define EZR_WORKER_READY 0   /* idle, or running a task */
#define EZR_WORKER_STALLED 1 /* set aside by the watchdog, and not replaced yet */
#define EZR_WORKER_LOST 2    /* set aside, never to be replaced */

/* The call during which a task ended; EZR_CALL_NONE on success. A conversion counts with the call before it. */
#define EZR_CALL_NONE 0
#define EZR_CALL_SET_INPUT_SHAPES 1
#define EZR_CALL_INPUTS_SET 2
#define EZR_CALL_RUN 3
#define EZR_CALL_OUTPUTS_GET 4
#define EZR_CALL_SET_IO_MEM 5
#define EZR_CALL_MEM_SYNC 6

typedef struct ezr_engine ezr_engine;

/* The runtime functions that a task needs, as the host found them in the library it loaded. */
typedef struct {
    int (*set_input_shapes)(rknn_context ctx, uint32_t n_inputs, rknn_tensor_attr attr[]);
    int (*inputs_set)(rknn_context ctx, uint32_t n_inputs, rknn_input inputs[]);
    int (*run)(rknn_context ctx, rknn_run_extend *extend);
    int (*outputs_get)(rknn_context ctx, uint32_t n_outputs, rknn_output outputs[], rknn_output_extend *extend);
    int (*outputs_release)(rknn_context ctx, uint32_t n_outputs, rknn_output outputs[]);
    int (*set_io_mem)(rknn_context ctx, rknn_tensor_mem *mem, rknn_tensor_attr *attr); /* for direct I/O */
    int (*mem_sync)(rknn_context ctx, rknn_tensor_mem *mem, rknn_mem_sync_mode mode);  /* optional */
    const char *(*last_error)(void); /* optional: why the last call on this thread failed */
} ezr_runtime;

/* One context and the group that may use it. */
typedef struct {
    rknn_context context;
    uint32_t group;
} ezr_worker;

typedef struct {
    ezr_runtime runtime;
    const ezr_worker *workers; /* copied */
    uint32_t worker_count;
    uint32_t group_count;
    const uint32_t *routes; /* copied; groups, in the order in which they get tasks */
    uint32_t route_count;
    uint32_t queue_capacity;      /* tasks that may wait in each group's queue, at least 1 */
    uint32_t completion_capacity; /* finished but uncollected tasks at which submission waits, at least 1 */
    uint8_t ordered;              /* 1: completions are given out in the order of submission; 0: as tasks finish */

    /* EZR_DISPATCH_*. With EZR_DISPATCH_LEAST_LOADED the next task goes to the first group with an idle context, in the
     * order in which the routes first name the groups. While none is idle, tasks wait in one common queue, of capacity
     * queue_capacity * group_count; the context that is free first takes the next. Groups that no route names get no
     * task. */
    uint8_t dispatch;

    /* 1: tasks are admitted no faster than the contexts sustain: a submission or run waits, besides for room, until the
     * time since the last admission reaches the recent duration of a task on a context (moving average over the
     * successful tasks of all groups) divided by the number of contexts. Until the first task has ended nothing is
     * known, and nothing waits for it. */
    uint8_t pacing;

    /* More than 0: the watchdog ends a task that its worker has had for longer, counted from started_ns. Then ezr_run
     * never uses the calling thread, so that it can return, and there is one more thread. See "The watchdog". 0: none.
     */
    int32_t run_timeout_ms;
} ezr_config;

/* One input or output that goes through memory bound to the context (rknn_set_io_mem), instead of being handed to
 * rknn_inputs_set or rknn_outputs_get.
 *
 * The order of a run: input shapes; for each input: bind, convert, synchronise; bind the outputs; rknn_run; for each
 * output: synchronise, convert. The engine forgets all of a context's bindings, so that the next task binds again, when
 * a task has other shapes than the one before it and when the context is replaced; those of the inputs when a task uses
 * rknn_inputs_set; those of the outputs when one uses rknn_outputs_get; and any binding that failed. */
typedef struct {
    const rknn_tensor_attr *attr;     /* how the memory is bound */
    rknn_tensor_mem *const *memories; /* the memory as each worker's context knows it, by index of worker; an entry is
                                       * read when that worker runs the task, and may change while it is set aside */
    uint64_t binding; /* the host's number for this memory bound with this attr: never 0, never used again for another.
                       * A worker binds only what is not the last that it bound for this input or output. */
    const ezr_conversion *conversion; /* between array and memory, checked; NULL: the memory is used as it is. The
                                       * tensor begins at virt_addr + offset: the vendor's library keeps both as
                                       * rknn_create_mem_from_fd was given them, the address being the mapping's. */
    void *array;  /* the source of an input, the destination of an output; NULL without conversion */
    uint8_t sync; /* 1: synchronise CPU caches with the device: an input before the run, an output after it */
} ezr_io;

/* A task to run. The arrays are copied at submission; the buffers that they point to are not, and must stay valid as
 * long as they are in use (see "Buffers"). Every output must be preallocated (is_prealloc = 1): the engine never passes
 * on a buffer of the runtime. A call whose array would be empty is left out. */
typedef struct {
    const rknn_tensor_attr *shapes; /* for dynamic-shape models: one for each input; otherwise NULL. They are set where
                                     * they are not the last that were set on the context. */
    const rknn_input *inputs;
    const rknn_output *outputs;
    uint32_t input_count;
    uint32_t output_count;
    const ezr_io *direct_inputs;  /* input_count of them, in place of inputs; else NULL */
    const ezr_io *direct_outputs; /* output_count of them, in place of outputs; else NULL */
    uint32_t lane;                /* which of its worker's contexts: see "Lanes" */
    uint64_t tag;                 /* the host's own; returned in ezr_result */
    uint8_t unordered; /* 1: its completion takes no place in the order, and is given out as soon as the task ends */
} ezr_task;

/* The result of a task. Times are nanoseconds of CLOCK_MONOTONIC. */
typedef struct {
    int64_t id;
    uint64_t tag;
    int32_t code; /* RKNN_SUCC; what the failing runtime call returned; RKNN_ERR_TIMEOUT: the watchdog; EZR_CANCELLED */
    int32_t call; /* EZR_CALL_* */
    uint32_t group;  /* UINT32_MAX when it left the common queue of EZR_DISPATCH_LEAST_LOADED for none */
    uint32_t worker; /* index into ezr_config.workers; UINT32_MAX when none took it up */
    uint32_t lane;   /* the task's */
    int64_t submitted_ns;
    int64_t started_ns; /* a worker took it up */
    int64_t input_ns;   /* input shapes and inputs were set, and everything was bound */
    int64_t npu_ns;     /* the run ended */
    int64_t finished_ns;
    char message[256]; /* on failure, the runtime's own message, truncated; "" when it has none */
} ezr_result;

/* A group's state, and its counts since the engine was created or the statistics were reset. Tasks in the common queue
 * of EZR_DISPATCH_LEAST_LOADED count with the group that the routes name first. */
typedef struct {
    uint32_t queued;
    uint32_t running;   /* on a context that has not been set aside */
    uint64_t completed; /* ended with RKNN_SUCC */
    uint64_t failed;    /* ended with anything else but EZR_CANCELLED; discarded and stalled tasks are included */
    uint64_t cancelled; /* ended with EZR_CANCELLED, or withdrawn by ezr_leave or by ezr_run's timeout */
    uint64_t stalled;   /* how often the watchdog set a worker aside */
    int64_t busy_ns;    /* started_ns to finished_ns, summed over the tasks that ran */
} ezr_group_stats;

/* Durations of one stage, over the successful tasks of all groups. Percentiles are accurate to 5 %. All 0 if count is
 * 0. */
typedef struct {
    uint64_t count;
    int64_t sum_ns;
    int64_t max_ns;
    int64_t p50_ns;
    int64_t p90_ns;
    int64_t p99_ns;
} ezr_stage_stats;

/* A worker's state and recent failures. A replacement starts with none. */
typedef struct {
    uint32_t group;
    uint32_t state;    /* EZR_WORKER_* */
    uint64_t failures; /* the number of tasks in a row, up to its last, that did not end with RKNN_SUCC */
    int32_t code;      /* of the last of them; RKNN_SUCC when there is none */
    int32_t call;      /* of the last of them: EZR_CALL_* */
} ezr_worker_health;

/* Starts the threads. On failure *engine is NULL and no thread is left. Every context must be idle, and belongs to the
 * engine until ezr_destroy returns. Returns EZR_OK, EZR_INVALID, EZR_NO_MEMORY or EZR_NO_THREAD. */
int32_t ezr_create(const ezr_config *config, ezr_engine **engine);

/* ---- Running ---- */

/* Runs a task and returns when it has ended. Uses the calling thread when a context of the task's group is idle, no
 * task waits before it and there is no run_timeout_ms; otherwise waits in the group's queue like any other. timeout_ms
 * (-1: forever) bounds the time until a worker takes the task up; a task that was taken up is always waited for. Its
 * completion is not queued. Thread-safe.
 *
 * With EZR_RUN_INTERRUPTIBLE among the flags the call returns EZR_INTERRUPTED when a signal handler, installed without
 * SA_RESTART, has run on the calling thread while it waited. The task goes on meanwhile; the host lets its own handlers
 * run, and then calls either ezr_resume or ezr_leave with result->id, exactly one of them and on any thread. (That id
 * is negative while the task waits for a place in the queue: it has no turn in the schedule yet.) The calling thread is
 * then used only if the recent runs of the group (moving average) took less than EZR_INLINE_LIMIT_NS, and not while
 * nothing is known of them: nothing can be interrupted inside a runtime call. But a call that does not return would
 * leave a host that defers its handlers, as Python does, no way to end. So while ezr_run is under way with this flag,
 * the first SIGINT is the host's, and the second ends the process, as an unhandled one does.
 *
 * Returns EZR_OK (then see result), EZR_TIMEOUT (it found no place in the queue, or was withdrawn from it; then its
 * turn in the schedule and its id are spent), EZR_INTERRUPTED, EZR_CLOSED, EZR_INVALID or EZR_NO_MEMORY. */
int32_t ezr_run(ezr_engine *engine, const ezr_task *task, int32_t timeout_ms, uint32_t flags, ezr_result *result);

/* Resumes waiting for an interrupted run, within its original timeout_ms, and in its old place if it waits in line.
 * Returns what ezr_run would, EZR_INTERRUPTED included; EZR_INVALID when no interrupted run has this id. */
int32_t ezr_resume(ezr_engine *engine, int64_t id, ezr_result *result);

/* Gives up an interrupted run; its result is lost. Returns EZR_OK when the engine is done with its buffers: no worker
 * had taken it up, and none will, or it has ended; EZR_BUSY when a worker is running it: then EZR_RELEASED will come
 * with its tag once it has ended. EZR_INVALID when no interrupted run has this id. Does not wait. */
int32_t ezr_leave(ezr_engine *engine, int64_t id);

/* For a host that calls the runtime itself on the thread of its signal handlers: until ezr_unwatch_interrupts the
 * second SIGINT ends the process, as in an interruptible ezr_run. Returns 1; or 0 when SIGINT is watched already, or
 * the host has no handler for it: then there is nothing to undo. */
uint8_t ezr_watch_interrupts(void);
void ezr_unwatch_interrupts(void);

/* Submits a task whose completion ezr_next_completion will give out. Blocks while its queue is full or too many
 * completions wait to be collected, at most timeout_ms (-1: forever, 0: not at all); waiting threads are served in
 * order of arrival, and woken when the queue is half empty, or its tasks take less than 1 ms together. Returns the
 * task's id (>= 0), EZR_TIMEOUT, EZR_CLOSED, EZR_INVALID or EZR_NO_MEMORY. Thread-safe. */
int64_t ezr_submit(ezr_engine *engine, const ezr_task *task, int32_t timeout_ms);

/* The same if there is room and no thread waits in line; otherwise EZR_TIMEOUT. It takes no room that was granted with
 * EZR_ROOM, which is for ezr_submit with a timeout of 0. Both return at once: a host may call them without letting its
 * other threads run. */
int64_t ezr_try_submit(ezr_engine *engine, const ezr_task *task);

/* Withdraws a submitted task that no worker has taken up, in constant time. Its completion comes with call
 * EZR_CALL_NONE and code EZR_CANCELLED, in its place in the order. Returns EZR_OK, or EZR_INVALID when it was taken up,
 * has ended or is unknown. Thread-safe. */
int32_t ezr_cancel(ezr_engine *engine, int64_t id);

/* For a host that must not block and got EZR_TIMEOUT from ezr_submit with timeout_ms 0: ezr_next_completion will return
 * EZR_ROOM once, as soon as there is room and every thread that waited in line at the time of this call was served; at
 * once if that is so already, or the engine is closed. The next ezr_submit with timeout_ms 0, from any thread, then
 * passes the threads in line and is accepted, even if they took the room in the meantime: so a queue may hold one task
 * more than its capacity. A request is neither queued nor counted: asking again before EZR_ROOM came changes nothing.
 * Thread-safe. */
void ezr_notify_room(ezr_engine *engine);

/* Waits for the next completion or notice, at most timeout_ms (-1: forever). Returns
 *   EZR_OK        a task ended: see result;
 *   EZR_ROOM      see ezr_notify_room; result is left as it was;
 *   EZR_STALLED   the watchdog set worker result->worker aside; id, tag and group are those of the task that it has;
 *   EZR_RELEASED  the buffers of the task with result->tag are free, and so is its context if that was set aside (it
 *                 was the context of result->worker); comes after EZR_STALLED or after EZR_BUSY, never otherwise;
 *   EZR_TIMEOUT, EZR_INVALID;
 *   EZR_CLOSED    the engine is closed, and everything else was given out; but for the EZR_RELEASED of workers that are
 *                 set aside, which may yet come, or never.
 * While every group has tasks queued that take less than 1 ms, a caller that sleeps is woken for several completions at
 * a time, at most 2 ms after the first of them.
 * Thread-safe. */
int32_t ezr_next_completion(ezr_engine *engine, int32_t timeout_ms, ezr_result *result);

/* The same for all that are ready, up to `capacity` (at least 1), for a host to which each call is expensive because it
 * must take its interpreter's lock after each. Waits for the first only. Returns the number of results, statuses[i]
 * being what ezr_next_completion would have returned with results[i]; or EZR_TIMEOUT, EZR_INVALID or EZR_CLOSED.
 * Thread-safe. */
int32_t ezr_next_completions(ezr_engine *engine, int32_t timeout_ms, uint32_t capacity, ezr_result *results,
                             int32_t *statuses);

/* ---- Lanes ----
 *
 * A context does not always survive a change in how it is given its tensors: librknnrt 1.5.2, once it was given uint8
 * pixels, normalises what is bound as already converted, and keeps converting what was bound before rknn_inputs_set;
 * its calls succeed. So a worker may have several contexts, its lanes, one for each way; a task names the lane whose
 * context is to run it. A worker runs one task at a time whatever the lane. The contexts of ezr_config.workers are lane
 * 0. */

/* Adds a lane: one more context for every worker, by index of worker. Every context must be idle, and belongs to the
 * engine until ezr_destroy returns. Returns the lane's number (1 and up), EZR_INVALID, EZR_CLOSED or EZR_NO_MEMORY; on
 * failure the contexts stay the host's. Thread-safe. */
int32_t ezr_add_lane(ezr_engine *engine, const rknn_context *contexts);

/* ---- The watchdog ----
 *
 * When a worker has had a task for longer than run_timeout_ms, the task ends: its completion (or ezr_run's result) has
 * code RKNN_ERR_TIMEOUT and, as call, the one that does not return. The worker's thread, which is inside that call, and
 * its context are set aside: the engine uses neither again, and ezr_next_completion returns EZR_STALLED. All other
 * workers go on.
 *
 * When the call returns after all, the thread makes no further call that touches the task's buffers (outputs are not
 * fetched), ends, and ezr_next_completion returns EZR_RELEASED. Until then the host may neither free the buffers nor
 * destroy the context: rknn_inputs_set may still be reading the inputs, rknn_outputs_get writing the outputs. Nor may
 * it free or use the memory of a direct task, or anything else its ezr_io point to: rknn_run may still be reading and
 * writing that memory, and a conversion under way runs to its end, from or to the array.
 *
 * Tasks queued in a group whose workers are all set aside wait for a replacement. When there will be none, because the
 * host says so or because the engine is closed, they end with code RKNN_ERR_DEVICE_UNAVAILABLE and call EZR_CALL_NONE.
 */

/* Replaces a worker that was set aside: a fresh context, for the lane in which it is stuck, and a new thread. Its other
 * lanes' contexts stay. With context 0 the host says that there will be none: a group that lost its last worker this
 * way gets no more tasks, its turns in the schedule go to the next group that has one, and an engine that lost its last
 * group is closed. Returns EZR_OK, EZR_INVALID (the worker is not set aside), EZR_CLOSED, EZR_NO_MEMORY or
 * EZR_NO_THREAD; the context is the engine's only after EZR_OK. Thread-safe. */
int32_t ezr_replace_worker(ezr_engine *engine, uint32_t worker, rknn_context context);

/* ---- The end ---- */

/* Accepts no more work from now on and wakes every thread that waits to submit; does not wait. With discard = 0
 * accepted tasks still run; with discard = 1 those that no worker has taken up end with code RKNN_ERR_FAIL and call
 * EZR_CALL_NONE, as completions like any other. Thread-safe, and may be called more than once. */
void ezr_close(ezr_engine *engine, uint8_t discard);

/* After ezr_close: waits until everything accepted has ended and no thread is left but those that are set aside, at
 * most timeout_ms (-1: forever). Returns EZR_OK, EZR_TIMEOUT, or EZR_INVALID when the engine is not closed. For a host
 * that wants to do other things while it waits; ezr_destroy then has nothing else to wait for. Thread-safe. */
int32_t ezr_join(ezr_engine *engine, int32_t timeout_ms);

/* Closes, waits until everything accepted has ended, joins the threads and frees the engine. Uncollected completions
 * are gone. No other call may be under way or follow.
 *
 * Threads that are set aside are waited for at most timeout_ms (-1: forever) after everything else has ended. If some
 * are then still inside the runtime, they and the engine's memory are left behind for good (they are freed by a later
 * ezr_destroy that finds them returned). Returns the number of these threads; their contexts are stored in left[0 ..
 * capacity - 1], as far as they fit. These must never be destroyed, nor the buffers of their tasks freed, nor the
 * runtime's library unloaded. Always returns 0 without run_timeout_ms. */
uint32_t ezr_destroy(ezr_engine *engine, int32_t timeout_ms, rknn_context *left, uint32_t capacity);

/* ---- Statistics ---- */

/* Fills groups[0 .. group_count - 1] and stages[0 .. EZR_STAGES - 1]; either may be NULL. Always on: they cost about
 * ten nanoseconds a task. Thread-safe. */
void ezr_stats(ezr_engine *engine, ezr_group_stats *groups, ezr_stage_stats *stages);

/* Fills workers[0 .. worker_count - 1], by index into ezr_config.workers. Thread-safe. */
void ezr_health(ezr_engine *engine, ezr_worker_health *workers);

/* Resets the statistics; queued and running tasks and the health of workers are unaffected. Thread-safe. */
void ezr_reset_stats(ezr_engine *engine);

/* cffi: end */

#ifdef __cplusplus
}
#endif

#endif
