/* SPDX-License-Identifier: Apache-2.0 */
/* IEEE half precision and bfloat16, converted in software: the same result on every machine. */
#pragma once

#include <cstdint>

namespace ez_rknn::rknnrt {

/* Rounds to nearest even; too large becomes infinite, NaN stays NaN. */
uint16_t half_from_float(float value);
float float_from_half(uint16_t half);

uint16_t bfloat16_from_float(float value);
float float_from_bfloat16(uint16_t value);

}  // namespace ez_rknn::rknnrt
