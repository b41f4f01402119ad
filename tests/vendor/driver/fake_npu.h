/* SPDX-License-Identifier: Apache-2.0 */
/* What a test can see of the faked driver, and do with it.
 *
 * Read by C++ and by Python's cffi (between the marker lines).
 */
#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* cffi: begin */

/* One allocation that the NPU can reach. */
typedef struct {
    uint32_t handle;
    uint32_t imported;    /* 1: it came in through a file descriptor that was not the driver's */
    uint64_t size;        /* bytes, whole pages */
    uint64_t dma_address; /* where the NPU finds it: register commands name such addresses */
    void *bytes;          /* where this process finds it */
} fake_npu_memory;

/* What the NPU is asked to do: tasks task_start to task_start + task_number of the list in memory task_handle. */
typedef struct {
    uint32_t flags;
    uint32_t timeout_ms;
    uint32_t task_start;
    uint32_t task_number;
    uint32_t task_handle;
    uint32_t core_mask;
    uint32_t subcore_task[5][2]; /* start and number for each core */
} fake_npu_submit;

/* Called in place of the NPU, on the thread that submits. Returns 0, or the errno with which the submission fails. */
typedef int32_t (*fake_npu_submit_callback)(const fake_npu_submit *submit);

/* What is to happen at a submission; NULL: nothing, and it succeeds. */
void fake_npu_on_submit(fake_npu_submit_callback callback);

/* Copies at most `capacity` descriptions, in the order of allocation. Returns how many there are. */
uint32_t fake_npu_memories(fake_npu_memory *memories, uint32_t capacity);

/* How often the ioctl was used since the process began: "SUBMIT", "MEMORY_CREATE" ...; "UNKNOWN": all that this driver
 * does not know. */
uint64_t fake_npu_count(const char *ioctl);

/* cffi: end */

#ifdef __cplusplus
}
#endif
