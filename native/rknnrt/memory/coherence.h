/* Whether the NPU would see what the CPU wrote.
 *
 * On a board CPU caches stand between the two: bytes that were written but not flushed (rknn_mem_sync) are not what the
 * NPU reads. Here there is one truth for both, so a checksum remembers what was flushed last; bytes that are no longer
 * those were changed since. Other ways in which bytes may change legitimately, a device or another handle of the same
 * file, make it forget. */
#pragma once

#include <cstddef>
#include <cstdint>

#include "common/mutex.h"

namespace ez_rknn::rknnrt {

class Coherence {
  public:
    /* Which file the memory is; `fresh`: it was made just now, holds zeros, and nothing is in any cache. */
    void begin(int fd, bool fresh);

    /* The bytes were flushed, through this handle; or they may have been, and nobody looked. */
    void flushed(const uint8_t *data, size_t size);
    void flushed_unseen();
    /* The NPU wrote. */
    void written_by_npu();

    /* Whether the bytes were changed since they were flushed, as far as that is known. */
    bool is_stale(const uint8_t *data, size_t size);

  private:
    Mutex mutex_;
    size_t file_ EZ_RKNN_GUARDED_BY(mutex_) = 0;
    bool known_ EZ_RKNN_GUARDED_BY(mutex_) = false;
    uint64_t checksum_ EZ_RKNN_GUARDED_BY(mutex_) = 0;
    uint64_t seen_ EZ_RKNN_GUARDED_BY(mutex_) = 0; /* the file's events when the checksum was made */
};

}  // namespace ez_rknn::rknnrt
