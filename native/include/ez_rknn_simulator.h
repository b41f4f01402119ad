/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated librknnrt.so beyond the vendor's interface: its settings, counters and error messages.
 *
 * Like rknn_abi.h, this file is read by C, by C++ and by Python's cffi (between the marker lines). */
#ifndef EZ_RKNN_SIMULATOR_H
#define EZ_RKNN_SIMULATOR_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* cffi: begin */

/* Settings for the contexts that the calling thread creates from now on, on top of those in the environment variable
 * EZ_RKNN_SIMULATOR; NULL or "" goes back to the environment's. `settings` is a list "key=value,key=value":
 *
 *   soc=rk3588             the SoC to simulate; default: the one that the model was compiled for
 *   timing=off             how long a run takes: off (as long as computing does), fixed:MICROSECONDS, or modelled
 *                          (from the layers in the file)
 *   compute=on             off: outputs are zeros, and no device process is started
 *   slowdown=CORE:FACTOR   makes one core slower; may be given for several cores
 *   fault=FUNCTION[@coreN][#N|#everyN]:ACTION
 *                          makes calls of a function fail; may be given several times. ACTION is
 *                          fail=CODE, delay=MICROSECONDS, hang, or lose (the device process is killed)
 *   counter=NAME           the counter of faults: contexts with the same name count together
 *
 * Returns RKNN_SUCC, or RKNN_ERR_PARAM_INVALID with the reason in ez_rknn_last_error(). */
int ez_rknn_simulator_configure(const char *settings);

/* The activity of a simulated core since the library was loaded (or since the last reset). */
typedef struct {
    uint64_t runs;   /* inferences that used this core */
    int64_t busy_ns; /* the time it was occupied */
} ez_rknn_core_counters;

/* Reads the counters of one core of the named SoC (all contexts of this process on that SoC share it). Returns
 * RKNN_SUCC, or RKNN_ERR_PARAM_INVALID for an SoC or a core that does not exist. */
int ez_rknn_simulator_counters(const char *soc, uint32_t core, ez_rknn_core_counters *counters);
void ez_rknn_simulator_reset_counters(void);

/* The number of contexts that this process has not destroyed. */
uint32_t ez_rknn_simulator_contexts(void);

/* Lets the calls that a fault made hang do their work now. Returns their number. */
uint32_t ez_rknn_simulator_release_hangs(void);

/* The number of calls of a function of the interface ("rknn_set_io_mem") in this process since the library was loaded,
 * failed ones included; 0 for an unknown name. For tests that something happens once, or never. Thread-safe. */
uint64_t ez_rknn_simulator_calls(const char *function);

/* The process id of the device process, or 0 when none runs. */
int ez_rknn_simulator_device_pid(void);

/* Sets the command that starts the device process, for programs in Python, which know their interpreter best: a path
 * and arguments ending with NULL, to which the library adds "--control-fd N". With NULL, `why_not` says why it cannot
 * be started, and becomes the reason of a failed rknn_init. EZ_RKNN_PYTHON takes precedence. Both are copied. */
void ez_rknn_simulator_set_host_python(const char *const *command, const char *why_not);

/* The time of one layer of a model on the NPU: modelled from the file, never measured. */
typedef struct {
    const char *operator_type; /* as the compiler names it: "ConvRelu"; valid as long as the context */
    const char *name;
    uint32_t on_npu;         /* 0: the runtime computes it on the CPU */
    uint32_t marker;         /* 1: where the graph begins or ends; takes no time */
    uint64_t compute_cycles; /* the compiler's estimates; 0 for layers that do not multiply and add */
    uint64_t memory_cycles;
    uint64_t moved_bytes;      /* read and written */
    uint64_t table_elements;   /* that pass an activation looked up in a table */
    uint64_t attention_scores; /* of a fused attention */
    double share[3];           /* of the busiest core, with 1, 2 or 3 cores working together */
    int64_t duration_ns[3];    /* with 1, 2 or 3 cores working together, and no other core busy */
} ez_rknn_layer_time;

/* The layers of the graph in use, in order of execution. *count is the capacity of `layers`, and is set to the number
 * of layers; no more than the capacity are written, and `layers` may be NULL to ask for the number. Returns RKNN_SUCC,
 * or an error for a context that does not exist. */
int ez_rknn_simulator_layer_times(uint64_t context, ez_rknn_layer_time *layers, uint32_t *count);

/* The modelled times of one inference of the graph in use, by which timing=modelled waits: ns[3 * (together - 1) + busy
 * - 1] with 1, 2 or 3 cores working together and so many busy on the whole board, those included; 0 where fewer are
 * busy than work together. *inferences is set to the number of inferences in one rknn_run. Returns RKNN_SUCC, or an
 * error for a context that does not exist. */
int ez_rknn_simulator_durations(uint64_t context, int64_t ns[9], uint32_t *inferences);

/* A sentence for the user on how the model of this context has done so far, such as that this machine could not keep
 * modelled time; "" if there is nothing to say. Each is told once, to whichever context of the model asks first. Valid
 * until the thread's next call. Any runtime library may export this; a client logs the text when a context ends. */
const char *ez_rknn_remark(uint64_t context);

/* The reason why the last call on this thread failed; "" if it did not. Valid until the thread's next call. Any runtime
 * library may export this; a client shows the text when it is there. */
const char *ez_rknn_last_error(void);

/* cffi: end */

#ifdef __cplusplus
}
#endif

#endif
