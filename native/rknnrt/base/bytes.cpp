/* SPDX-License-Identifier: Apache-2.0 */
#include "rknnrt/base/bytes.h"

#include "rknn_abi.h"
#include "rknnrt/base/status.h"

namespace ez_rknn::rknnrt {

namespace {

/* The bytes are little-endian on every machine. */
template <typename Integer>
Integer little_endian(const uint8_t *bytes) {
    Integer value = 0;
    for (size_t i = 0; i < sizeof(Integer); ++i)
        value |= static_cast<Integer>(static_cast<Integer>(bytes[i]) << (8 * i));
    return value;
}

}  // namespace

const uint8_t *Bytes::at(uint64_t offset, uint64_t size, const char *what) const {
    if (offset > size_ || size > size_ - offset) {
        fail(RKNN_ERR_MODEL_INVALID, "damaged model: ", what, " at offset ", origin_ + offset, " needs ", size,
             " bytes, but there are ", offset > size_ ? 0 : size_ - offset);
    }
    return data_ + offset;
}

Bytes Bytes::slice(uint64_t offset, uint64_t size, const char *what) const {
    Bytes part(at(offset, size, what), static_cast<size_t>(size));
    part.origin_ = origin_ + offset;
    return part;
}

uint8_t Bytes::u8(uint64_t offset, const char *what) const {
    return *at(offset, 1, what);
}
uint16_t Bytes::u16(uint64_t offset, const char *what) const {
    return little_endian<uint16_t>(at(offset, 2, what));
}
uint32_t Bytes::u32(uint64_t offset, const char *what) const {
    return little_endian<uint32_t>(at(offset, 4, what));
}
uint64_t Bytes::u64(uint64_t offset, const char *what) const {
    return little_endian<uint64_t>(at(offset, 8, what));
}

}  // namespace ez_rknn::rknnrt
