/* SPDX-License-Identifier: Apache-2.0 */
/* Quantisation to 8 bits, exactly, mostly without exact arithmetic.
 *
 * The rules round x * a + b as if computed in double. Float has enough bits to predict that, unless x * a + b is close
 * to a tie. So v = (x * a + b + 1/2) * 2^14 is computed in float: v >> 14 is the result, and the 14 bits below tell how
 * close the tie was. Elements too close for float (one in a thousand), and those that are not finite or whose v is no
 * 32-bit integer, are converted again, by the rule itself. */
#pragma once

#include <cmath>

#include "common/inline.h"
#include "kernels/elements.h"

namespace ez_rknn::kernels {

constexpr int fraction_bits = 14;
constexpr double one = 1 << fraction_bits;

/* The largest error of an estimate, in units of v. Where the result lies in the range of 8 bits, x * a is at most 257 +
 * |b|, and relative errors of 2^-24 are errors of (257 + |b|) / 1024 in v. There are at most three of x * a (a's
 * rounding, the product's and, by EZR_RULE_DIVIDE, the quotient's), one of b, and at most 1.5 of the sums' rounding and
 * of the conversion to an integer. 0: too far to be of use. */
inline uint32_t doubt_of(uint32_t rule, double a, double b) {
    const double factor = rule == EZR_RULE_DIVIDE ? one / static_cast<float>(a) : one * a;
    // Zero, subnormals and infinities do not estimate a factor, and far from zero a float has no bits left for a
    // fraction.
    if (!(std::fabs(factor) > 0x1p-126) || !(std::fabs(factor) < 0x1p126) || !(std::fabs(b) < 0x1p16)) return 0;
    return 4 + static_cast<uint32_t>(std::fabs(b)) / 128;
}

/* The factors of v, which is raised by the doubt: so it is too close to a tie if its fraction is at most twice the
 * doubt. */
inline float estimate_factor(uint32_t rule, double a) {
    return static_cast<float>(rule == EZR_RULE_DIVIDE ? one / static_cast<float>(a) : one * a);
}
inline float estimate_offset(double b, uint32_t doubt) {
    return static_cast<float>((b + 0.5) * one + doubt);
}

}  // namespace ez_rknn::kernels
