/* SPDX-License-Identifier: Apache-2.0 */
/* Rounding to whole numbers, as the NPU's runtime does it: halves to even, in any rounding mode of the thread. */
#pragma once

#include <cmath>
#include <cstdint>

namespace ez_rknn::rknnrt {

/* Valid for finite and infinite values; NaN stays NaN. */
inline double round_half_even(double value) {
    // Adding 1.5 * 2^52 leaves no bits for a fraction; the sum is rounded to nearest even by the addition itself.
    constexpr double shift = 0x1.8p52;
    if (!(std::fabs(value) < 0x1p51)) return value;
    return (value + shift) - shift;
}

/* Clamps to the range of int8; NaN becomes the largest, as in the vendor's library. */
inline int8_t saturate_to_int8(double value) {
    if (!(value < 127)) return 127;
    return value > -128 ? static_cast<int8_t>(value) : static_cast<int8_t>(-128);
}

/* The low byte of the value converted to a 32-bit integer: saturating there, NaN becoming 0. */
inline int8_t wrap_to_int8(double value) {
    if (std::isnan(value)) return 0;
    int32_t whole = 0;
    if (value >= 2147483647.0) {
        whole = INT32_MAX;
    } else if (value <= -2147483648.0) {
        whole = INT32_MIN;
    } else {
        whole = static_cast<int32_t>(value);
    }
    return static_cast<int8_t>(static_cast<uint8_t>(whole));
}

/* Rounds towards zero, saturating; NaN becomes 0. */
inline int64_t truncate_to_int64(double value) {
    if (std::isnan(value)) return 0;
    if (value >= 0x1p63) return INT64_MAX;
    if (value <= -0x1p63) return INT64_MIN;
    return static_cast<int64_t>(value);
}

}  // namespace ez_rknn::rknnrt
