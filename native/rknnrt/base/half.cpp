/* SPDX-License-Identifier: Apache-2.0 */
#include "rknnrt/base/half.h"

#include <cstring>

namespace ez_rknn::rknnrt {

namespace {

uint32_t bits_of_float(float value) {
    uint32_t bits = 0;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
}

float float_of_bits(uint32_t bits) {
    float value = 0;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

/* value >> shift, rounded to nearest even; shift is 1 to 31. Branch-free: the direction of rounding is unpredictable,
 * for the processor too. */
uint32_t shift_right_rounding(uint32_t value, uint32_t shift) {
    const uint32_t odd = value >> shift & 1U;
    return (value + (1U << (shift - 1)) - 1 + odd) >> shift;
}

}  // namespace

uint16_t half_from_float(float value) {
    const uint32_t bits = bits_of_float(value);
    const auto sign = static_cast<uint16_t>((bits >> 16) & 0x8000U);
    const uint32_t magnitude = bits & 0x7FFFFFFFU;
    if (magnitude > 0x7F800000U) return static_cast<uint16_t>(sign | 0x7E00U | ((magnitude >> 13) & 0x03FFU));
    // 65520 is half way between the largest half and the next power of two: from there on it is infinite.
    if (magnitude >= 0x477FF000U) return static_cast<uint16_t>(sign | 0x7C00U);
    if (magnitude >= 0x38800000U) {
        // Normal: the exponent's bias goes from 127 to 15; a carry out of the rounded mantissa raises the exponent.
        return static_cast<uint16_t>(sign | shift_right_rounding(magnitude - 0x38000000U, 13));
    }
    const uint32_t exponent = magnitude >> 23;
    if (exponent < 102) return sign;  // below half of the smallest subnormal
    const uint32_t mantissa = (magnitude & 0x007FFFFFU) | 0x00800000U;
    return static_cast<uint16_t>(sign | shift_right_rounding(mantissa, 126 - exponent));
}

float float_from_half(uint16_t half) {
    const uint32_t sign = (half & 0x8000U) << 16;
    const uint32_t magnitude = half & 0x7FFFU;
    if (magnitude >= 0x7C00U) return float_of_bits(sign | 0x7F800000U | ((magnitude & 0x03FFU) << 13));
    if (magnitude >= 0x0400U) return float_of_bits(sign | ((magnitude << 13) + 0x38000000U));
    // Subnormal: mantissa * 2^-24, exact in float.
    const float value = static_cast<float>(magnitude) * 0x1p-24F;
    return sign != 0 ? -value : value;
}

uint16_t bfloat16_from_float(float value) {
    const uint32_t bits = bits_of_float(value);
    if ((bits & 0x7FFFFFFFU) > 0x7F800000U) return static_cast<uint16_t>((bits >> 16) | 0x0040U);
    return static_cast<uint16_t>(shift_right_rounding(bits, 16));
}

float float_from_bfloat16(uint16_t value) {
    return float_of_bits(static_cast<uint32_t>(value) << 16);
}

}  // namespace ez_rknn::rknnrt
