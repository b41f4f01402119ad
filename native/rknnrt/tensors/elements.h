/* SPDX-License-Identifier: Apache-2.0 */
/* Elements in buffers that need not be aligned for them. */
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "rknnrt/base/half.h"

namespace ez_rknn::rknnrt {

struct Half {
    uint16_t bits;
};

inline float value_of(Half half) {
    return float_from_half(half.bits);
}
template <typename Number>
inline Number value_of(Number number) {
    return number;
}

/* Unaligned buffers are legal in this interface. */
template <typename Source>
inline Source element(const void *buffer, size_t index) {
    Source source;
    std::memcpy(&source, static_cast<const uint8_t *>(buffer) + index * sizeof(Source), sizeof(Source));
    return source;
}

template <typename Element>
inline void put(uint8_t *buffer, size_t index, Element value) {
    std::memcpy(buffer + index * sizeof(Element), &value, sizeof(Element));
}

}  // namespace ez_rknn::rknnrt
