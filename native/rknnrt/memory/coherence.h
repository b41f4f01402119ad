/* SPDX-License-Identifier: Apache-2.0 */
/* A check that the NPU would see what the CPU wrote.
 *
 * On a board CPU caches are between the two: the NPU does not read bytes that were written but not flushed
 * (rknn_mem_sync). Here both see the same memory, so a checksum of the bytes last flushed shows whether they were
 * changed since. Legitimate changes by others, a device or another handle of the same file, discard it. */
#pragma once

#include <cstddef>
#include <cstdint>

#include "common/mutex.h"

namespace ez_rknn::rknnrt {

class Coherence {
  public:
    /* Sets the memory's file; `fresh`: it was just made, holds zeros, and no cache has any of it. */
    void begin(int fd, bool fresh);

    /* Records a flush through this handle; flushed_unseen(), one of unknown bytes. */
    void flushed(const uint8_t *data, size_t size);
    void flushed_unseen();
    /* Records that the NPU wrote. */
    void written_by_npu();

    /* True if the bytes are known to have changed since they were flushed. */
    bool is_stale(const uint8_t *data, size_t size);

  private:
    Mutex mutex_;
    size_t file_ EZ_RKNN_GUARDED_BY(mutex_) = 0;
    bool known_ EZ_RKNN_GUARDED_BY(mutex_) = false;
    uint64_t checksum_ EZ_RKNN_GUARDED_BY(mutex_) = 0;
    uint64_t seen_ EZ_RKNN_GUARDED_BY(mutex_) = 0; /* the file's events when the checksum was made */
};

}  // namespace ez_rknn::rknnrt
