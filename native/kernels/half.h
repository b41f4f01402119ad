/* SPDX-License-Identifier: Apache-2.0 */
/* IEEE half precision in integer arithmetic, without branches, so that loops over it become vector code. The results
 * equal those of the processors' own instructions. */
#pragma once

#include <cstdint>
#include <cstring>

#include "common/inline.h"

namespace ez_rknn::kernels {

template <typename To, typename From>
EZ_RKNN_INLINE To bits_as(From from) {
    static_assert(sizeof(To) == sizeof(From), "the same bits");
    To to;
    std::memcpy(&to, &from, sizeof to);
    return to;
}

EZ_RKNN_INLINE float float_from_half(uint16_t half) {
    constexpr uint32_t rebias = (127U - 15U) << 23;
    const uint32_t magnitude = half & 0x7FFFU;
    uint32_t bits = (magnitude << 13) + rebias;
    bits += magnitude >= 0x7C00U ? rebias : 0U;  // infinite or NaN: the exponent is all ones again
    // Subnormal: a multiple of 2^-24, which is a normal float.
    const auto subnormal = bits_as<uint32_t>(static_cast<float>(static_cast<int32_t>(magnitude)) * 0x1p-24F);
    bits = magnitude < 0x0400U ? subnormal : bits;
    return bits_as<float>(bits | (half & 0x8000U) << 16);
}

/* Rounds to nearest, ties to even; too large becomes infinite, NaN stays NaN. */
EZ_RKNN_INLINE uint16_t half_from_float(float value) {
    const auto bits = bits_as<uint32_t>(value);
    const uint32_t magnitude = bits & 0x7FFFFFFFU;
    // The exponent's bias goes from 127 to 15; a carry out of the rounded mantissa raises the exponent.
    uint32_t half = (magnitude - 0x38000000U + 0x0FFFU + (magnitude >> 13 & 1U)) >> 13;
    // Below 2^-14 halves are multiples of 2^-24, as are floats from 0.5 to 1: the addition rounds.
    const uint32_t subnormal = bits_as<uint32_t>(bits_as<float>(magnitude) + 0.5F) - 0x3F000000U;
    half = magnitude < 0x38800000U ? subnormal : half;
    // 65520 is half way between the largest half and the next power of two.
    half = magnitude >= 0x477FF000U ? 0x7C00U : half;
    half = magnitude > 0x7F800000U ? 0x7E00U | (magnitude >> 13 & 0x03FFU) : half;
    return static_cast<uint16_t>(half | (bits >> 16 & 0x8000U));
}

}  // namespace ez_rknn::kernels
