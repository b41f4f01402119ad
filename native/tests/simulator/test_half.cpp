/* SPDX-License-Identifier: Apache-2.0 */
/* Half precision, exhaustively. */
#include <cmath>
#include <cstring>

#include "rknnrt/base/half.h"
#include "tests/check.h"

using namespace ez_rknn::tests;
using namespace ez_rknn::rknnrt;

namespace {

/* The value of a half by its definition. */
double defined(uint16_t half) {
    const int exponent = half >> 10 & 31;
    const int mantissa = half & 1023;
    const double magnitude = exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
    return (half & 0x8000) != 0 ? -magnitude : magnitude;
}

}  // namespace

TEST(every_half_has_its_defined_value_and_comes_back) {
    for (uint32_t bits = 0; bits < 65536; ++bits) {
        const auto half = static_cast<uint16_t>(bits);
        const float value = float_from_half(half);
        if ((bits & 0x7FFF) > 0x7C00) {
            CHECK(std::isnan(value));
            CHECK(std::isnan(float_from_half(half_from_float(value))));
            continue;
        }
        if ((bits & 0x7FFF) == 0x7C00) {
            CHECK(std::isinf(value));
        } else {
            CHECK_EQ(static_cast<double>(value), defined(half));
        }
        CHECK_EQ(half_from_float(value), half);
    }
}

TEST(floats_round_to_the_nearest_half_ties_to_even) {
    for (uint32_t bits = 0; bits < 0x7BFF; ++bits) {
        const double low = defined(static_cast<uint16_t>(bits));
        const double high = defined(static_cast<uint16_t>(bits + 1));
        const auto middle = static_cast<float>((low + high) / 2);  // exact: one bit more than a half
        CHECK_EQ(half_from_float(middle), bits % 2 == 0 ? bits : bits + 1);
        CHECK_EQ(half_from_float(std::nextafter(middle, 0.F)), bits);
        CHECK_EQ(half_from_float(std::nextafter(middle, 1e6F)), bits + 1);
        CHECK_EQ(half_from_float(-middle), (bits % 2 == 0 ? bits : bits + 1) | 0x8000);
    }
    CHECK_EQ(half_from_float(65519.F), 0x7BFF);
    CHECK_EQ(half_from_float(65520.F), 0x7C00);
    CHECK_EQ(half_from_float(INFINITY), 0x7C00);
}

TEST(bfloat16_rounds_to_nearest_even) {
    CHECK_EQ(float_from_bfloat16(bfloat16_from_float(1.F)), 1.F);
    CHECK_EQ(bfloat16_from_float(1.F + 0x1p-8F), 0x3F80);      // half way: to even
    CHECK_EQ(bfloat16_from_float(1.F + 3 * 0x1p-8F), 0x3F82);  // half way: to even
    CHECK_EQ(bfloat16_from_float(1.F + 0x1p-8F + 0x1p-20F), 0x3F81);
    CHECK(std::isnan(float_from_bfloat16(bfloat16_from_float(NAN))));
}
