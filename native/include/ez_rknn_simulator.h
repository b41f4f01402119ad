/* What the simulated librknnrt.so offers beyond the vendor's interface: its settings, its counters and its error texts.
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
 *   soc=rk3588          the SoC to be; default: the one that the model was compiled for
 *   timing=off          how long a run takes: off (as long as computing does), fixed:MICROSECONDS, or modelled (from
 * the layers in the file) compute=on          off: outputs are zeros, and no device process is started
 *   slowdown=CORE:FACTOR   makes one core slower; may be given for several cores
 *
 * Returns RKNN_SUCC, or RKNN_ERR_PARAM_INVALID with the reason in ez_rknn_last_error(). */
int ez_rknn_simulator_configure(const char *settings);

/* What a simulated core has done since the library was loaded (or since the last reset). */
typedef struct {
    uint64_t runs;   /* inferences that took part of this core */
    int64_t busy_ns; /* the time it was occupied */
} ez_rknn_core_counters;

/* Reads the counters of one core of the SoC named (all contexts of this process on that SoC share it).
 * Returns RKNN_SUCC, or RKNN_ERR_PARAM_INVALID for an SoC or a core that does not exist. */
int ez_rknn_simulator_counters(const char *soc, uint32_t core, ez_rknn_core_counters *counters);
void ez_rknn_simulator_reset_counters(void);

/* The process id of the device process, or 0 when none runs. */
int ez_rknn_simulator_device_pid(void);

/* Why the last call on this thread that returned an error did so; "" if it did not fail. Valid until the thread's next
 * call. Any runtime library may export this; a client shows the text when it is there. */
const char *ez_rknn_last_error(void);

/* cffi: end */

#ifdef __cplusplus
}
#endif

#endif
