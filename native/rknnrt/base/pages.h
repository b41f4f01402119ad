/* SPDX-License-Identifier: Apache-2.0 */
/* Zeroed memory straight from the system, which takes up no memory until it is written. */
#pragma once

#include <cstddef>
#include <cstdint>

#include "rknnrt/base/file_descriptor.h"

namespace ez_rknn::rknnrt {

class Pages {
  public:
    Pages() = default;
    /* Private memory of this process. Fails with RKNN_ERR_MALLOC_FAIL. */
    explicit Pages(size_t size);
    /* Maps a file's bytes: shared and writable, or private and read-only. */
    static Pages shared(const FileDescriptor &file, size_t size);
    /* The same from `begin`, a multiple of the page size, of a descriptor owned elsewhere. */
    static Pages shared(int fd, int64_t begin, size_t size);
    static Pages readonly_shared(int fd, int64_t begin, size_t size);
    static Pages readonly(const FileDescriptor &file, size_t size);

    ~Pages();
    Pages(Pages &&other) noexcept;
    Pages &operator=(Pages &&other) noexcept;
    Pages(const Pages &) = delete;
    Pages &operator=(const Pages &) = delete;

    uint8_t *data() const { return data_; }
    size_t size() const { return size_; }

  private:
    static Pages map(size_t size, int protection, int flags, int fd, int64_t begin = 0);

    uint8_t *data_ = nullptr;
    size_t size_ = 0;
    size_t mapped_ = 0; /* whole pages */
};

}  // namespace ez_rknn::rknnrt
