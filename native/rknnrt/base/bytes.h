/* SPDX-License-Identifier: Apache-2.0 */
/* A non-owning view of bytes, with the bounds-checked little-endian reads that all parsing is built on.
 */
#pragma once

#include <cstddef>
#include <cstdint>

namespace ez_rknn::rknnrt {

class Bytes {
  public:
    Bytes() = default;
    Bytes(const void *data, size_t size) : data_(static_cast<const uint8_t *>(data)), size_(size) {}

    size_t size() const { return size_; }

    /* `size` bytes from `offset`; fails with RKNN_ERR_MODEL_INVALID, naming `what` and the offset, if any are missing.
     * `origin` is added to offsets in messages, so that they are offsets in the file. */
    const uint8_t *at(uint64_t offset, uint64_t size, const char *what) const;
    Bytes slice(uint64_t offset, uint64_t size, const char *what) const;

    uint8_t u8(uint64_t offset, const char *what) const;
    uint16_t u16(uint64_t offset, const char *what) const;
    uint32_t u32(uint64_t offset, const char *what) const;
    uint64_t u64(uint64_t offset, const char *what) const;
    int32_t i32(uint64_t offset, const char *what) const { return static_cast<int32_t>(u32(offset, what)); }

    uint64_t origin() const { return origin_; }

  private:
    const uint8_t *data_ = nullptr;
    size_t size_ = 0;
    uint64_t origin_ = 0;
};

}  // namespace ez_rknn::rknnrt
