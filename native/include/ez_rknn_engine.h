/* The engine: worker threads that keep every NPU core busy without the caller's interpreter.
 *
 * An engine is given contexts of an NPU runtime (the vendor's, the simulated one, anything with that ABI) in *groups*,
 * one group a core. Each group has its own bounded queue and as many worker threads as it has contexts; a context is
 * used by one thread at a time. A task goes to the group that the route names: routes[id % route_count].
 *
 * The engine never allocates tensors, never converts them and never calls back into its host: a task carries the very
 * structures that rknn_inputs_set and rknn_outputs_get receive, and its completion is collected by calling
 * ezr_next_completion. Creating and destroying the contexts is the host's business.
 *
 * Like rknn_abi.h, this file is read by C, by C++ and by Python's cffi (between the marker lines).
 */
#ifndef EZ_RKNN_ENGINE_H
#define EZ_RKNN_ENGINE_H

#include "rknn_abi.h"

#ifdef __cplusplus
extern "C" {
#endif

/* cffi: begin */

/* Status of a call into the engine. Runtime errors of a task are not here: they are in ezr_result. */
#define EZR_OK 0
#define EZR_TIMEOUT -101   /* nothing happened within the time given; nothing was accepted */
#define EZR_CLOSED -102    /* the engine accepts no more work, or has no more completions to give */
#define EZR_INVALID -103   /* an argument is out of range */
#define EZR_NO_MEMORY -104 /* nothing was accepted */
#define EZR_NO_THREAD -105 /* the system refused another thread */

/* The call during which a task ended; EZR_CALL_NONE on success. */
#define EZR_CALL_NONE 0
#define EZR_CALL_SET_INPUT_SHAPES 1
#define EZR_CALL_INPUTS_SET 2
#define EZR_CALL_RUN 3
#define EZR_CALL_OUTPUTS_GET 4

typedef struct ezr_engine ezr_engine;

/* The runtime functions that a task needs, as the host found them in the library it loaded. */
typedef struct {
    int (*set_input_shapes)(rknn_context ctx, uint32_t n_inputs, rknn_tensor_attr attr[]);
    int (*inputs_set)(rknn_context ctx, uint32_t n_inputs, rknn_input inputs[]);
    int (*run)(rknn_context ctx, rknn_run_extend *extend);
    int (*outputs_get)(rknn_context ctx, uint32_t n_outputs, rknn_output outputs[], rknn_output_extend *extend);
    int (*outputs_release)(rknn_context ctx, uint32_t n_outputs, rknn_output outputs[]);
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
    const uint32_t *routes; /* copied; task i goes to group routes[i % route_count] */
    uint32_t route_count;
    uint32_t queue_capacity;      /* tasks that may wait in each group's queue, at least 1 */
    uint32_t completion_capacity; /* finished but uncollected tasks at which submission waits, at least 1 */
    uint8_t ordered;              /* 1: completions are given out in the order of submission; 0: as tasks finish */
} ezr_config;

/* What to run. The arrays are copied at submission; the buffers that they point to are not: the engine reads the
 * inputs and writes the outputs until the task completes, and they must stay valid until then. Every output must be
 * preallocated (is_prealloc = 1): the engine hands no buffer of the runtime's on. A call whose array would be empty is
 * left out. */
typedef struct {
    const rknn_tensor_attr *shapes; /* for dynamic-shape models: one for each input; otherwise NULL */
    const rknn_input *inputs;
    const rknn_output *outputs;
    uint32_t input_count;
    uint32_t output_count;
    uint64_t tag; /* the host's own; comes back in ezr_result */
} ezr_task;

/* How a task ended. Times are nanoseconds of CLOCK_MONOTONIC. */
typedef struct {
    int64_t id;
    uint64_t tag;
    int32_t code; /* RKNN_SUCC, or what the failing runtime call returned */
    int32_t call; /* EZR_CALL_* */
    uint32_t group;
    uint32_t worker; /* index into ezr_config.workers; UINT32_MAX when none took it up */
    int64_t submitted_ns;
    int64_t started_ns; /* a worker took it up */
    int64_t input_ns;   /* input shapes and inputs were set */
    int64_t npu_ns;     /* the run ended */
    int64_t finished_ns;
    char message[256]; /* on failure, the runtime's own words, cut to fit; "" when it has none */
} ezr_result;

/* What an engine is doing now, for each group. */
typedef struct {
    uint32_t queued;
    uint32_t running;
    uint64_t completed; /* ended with RKNN_SUCC */
    uint64_t failed;    /* ended with anything else, discarded tasks included */
    int64_t busy_ns;    /* sum over the group's contexts */
} ezr_group_stats;

/* Starts the worker threads. On failure *engine is NULL and no thread is left. Every context must be idle, and belongs
 * to the engine until ezr_destroy returns. Returns EZR_OK, EZR_INVALID, EZR_NO_MEMORY or EZR_NO_THREAD. */
int32_t ezr_create(const ezr_config *config, ezr_engine **engine);

/* Runs a task and returns when it has ended. Uses the calling thread when a context of the task's group is idle and no
 * task waits before it; otherwise waits in the group's queue like any other. timeout_ms (-1: forever) bounds the time
 * until a worker takes the task up; a task that was taken up is always waited for. Its completion is not queued.
 * Returns EZR_OK (then see result), EZR_TIMEOUT (it found no place in the queue, or was withdrawn from it; in the
 * latter case its turn in the schedule, and its id, are spent), EZR_CLOSED, EZR_INVALID or EZR_NO_MEMORY. Thread-safe.
 */
int32_t ezr_run(ezr_engine *engine, const ezr_task *task, int32_t timeout_ms, ezr_result *result);

/* Submits a task whose completion ezr_next_completion will give out. Blocks while its group's queue is full or too many
 * completions wait to be collected, at most timeout_ms (-1: forever, 0: not at all).
 * Returns the task's id (>= 0), EZR_TIMEOUT, EZR_CLOSED, EZR_INVALID or EZR_NO_MEMORY. Thread-safe. */
int64_t ezr_submit(ezr_engine *engine, const ezr_task *task, int32_t timeout_ms);

/* Waits for the next completion, at most timeout_ms (-1: forever).
 * Returns EZR_OK, EZR_TIMEOUT, or EZR_CLOSED once the engine is closed and everything accepted was given out. */
int32_t ezr_next_completion(ezr_engine *engine, int32_t timeout_ms, ezr_result *result);

/* Accepts no more work from now on and wakes everyone who waits to submit; does not wait. With discard = 0 what was
 * accepted is still executed; with discard = 1 what no worker has taken up ends with code RKNN_ERR_FAIL and call
 * EZR_CALL_NONE, as a completion like any other. Thread-safe, and may be called more than once. */
void ezr_close(ezr_engine *engine, uint8_t discard);

/* Closes, waits until everything accepted has ended, joins the threads and frees the engine. Uncollected completions
 * are gone. No other call may be under way or follow. */
void ezr_destroy(ezr_engine *engine);

/* Fills stats[0 .. group_count - 1]. Thread-safe. */
void ezr_stats(ezr_engine *engine, ezr_group_stats *stats);

/* ---- Kernels ---- */

/* Transposes `outer` matrices of `rows` x `columns` elements: dst[o][c][r] = src[o][r][c]. With rows = C and
 * columns = H*W this is NCHW to NHWC; with rows = H*W and columns = C it is NHWC to NCHW. src and dst are dense and
 * must not overlap, but need no alignment; element_size is 1, 2, 4 or 8 bytes. Returns EZR_OK or EZR_INVALID. */
int32_t ezr_transpose(const void *src, void *dst, size_t outer, size_t rows, size_t columns, uint32_t element_size);

/* cffi: end */

#ifdef __cplusplus
}
#endif

#endif
