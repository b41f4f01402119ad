/* SPDX-License-Identifier: Apache-2.0 */
/* The arithmetic of the rules. Every operation is rounded as ez_rknn_kernels.h says: nothing here may be contracted to
 * fused multiply-additions, nor evaluated in another order. */
#pragma once

#include "common/inline.h"
#include "kernels/elements.h"

namespace ez_rknn::kernels {
namespace {

/* Clamps to the bounds; NaN becomes the largest. */
template <typename Real>
EZ_RKNN_INLINE Real clamp(Real value, Real least, Real most) {
    value = value < most ? value : most;
    return value > least ? value : least;
}

/* Rounds to the nearest whole number, ties to even: the sum has no bits left for a fraction. Numbers too large for this
 * stay beyond every bound. */
EZ_RKNN_INLINE double round_to_even(double value) {
    constexpr double shift = 0x1.8p52;
    return (value + shift) - shift;
}

/* The same for |value| < 2^22. */
EZ_RKNN_INLINE float round_to_even(float value) {
    constexpr float shift = 0x1.8p23F;
    return (value + shift) - shift;
}

/* A rule for one element: between reals, and then to a whole number in the range. */
struct Scale {
    static EZ_RKNN_INLINE int32_t of(float x, double a, double b, const Range &range) {
        return static_cast<int32_t>(
            clamp<double>(round_to_even(static_cast<double>(x) * a) + b, range.least, range.most));
    }
};

struct Affine {
    static EZ_RKNN_INLINE int32_t of(float x, double a, double b, const Range &range) {
        return static_cast<int32_t>(
            round_to_even(clamp<double>(static_cast<double>(x) * a + b, range.least, range.most)));
    }
};

struct Divide {
    static EZ_RKNN_INLINE int32_t of(float x, double a, double b, const Range &range) {
        const float scaled = x / static_cast<float>(a) + static_cast<float>(b);
        return static_cast<int32_t>(
            round_to_even(clamp<float>(scaled, static_cast<float>(range.least), static_cast<float>(range.most))));
    }
};

/* `Real` is float, or a vector of them. */
struct Normalise {
    template <typename Real>
    static EZ_RKNN_INLINE Real of(Real x, double a, double b) {
        return (x - static_cast<float>(a)) / static_cast<float>(b);
    }
};

struct Dequantise {
    template <typename Real>
    static EZ_RKNN_INLINE Real of(Real x, double a, double b) {
        return (x - static_cast<float>(b)) * static_cast<float>(a);
    }
};

/* Applies a rule to a run of elements, which float32 holds exactly. */
template <typename Rule, typename Source = float, typename Result, typename... Bounds>
EZ_RKNN_INLINE void apply(const Unaligned<Source> *from, Result *__restrict to, size_t count, const Factors &factors,
                          const Bounds &...bounds) {
    const double *a = factors.a, *b = factors.b;
    if (factors.each) {
        for (size_t i = 0; i < count; ++i) to[i] = Rule::of(static_cast<float>(from[i]), a[i], b[i], bounds...);
    } else {
        const double all_a = a[0], all_b = b[0];
        for (size_t i = 0; i < count; ++i) to[i] = Rule::of(static_cast<float>(from[i]), all_a, all_b, bounds...);
    }
}

/* Applies SCALE, AFFINE or DIVIDE: to whole numbers in the range. */
EZ_RKNN_INLINE void quantise(uint32_t rule, const Unaligned<float> *from, int32_t *to, size_t count,
                             const Factors &factors, const Range &range) {
    switch (rule) {
        case EZR_RULE_SCALE:
            return apply<Scale>(from, to, count, factors, range);
        case EZR_RULE_AFFINE:
            return apply<Affine>(from, to, count, factors, range);
        case EZR_RULE_DIVIDE:
            return apply<Divide>(from, to, count, factors, range);
        default:  // no other rule quantises (check_conversion.cpp)
            return;
    }
}

/* Applies NORMALISE or DEQUANTISE. */
EZ_RKNN_INLINE void scale_floats(uint32_t rule, const Unaligned<float> *from, Unaligned<float> *to, size_t count,
                                 const Factors &factors) {
    if (rule == EZR_RULE_NORMALISE) return apply<Normalise>(from, to, count, factors);
    apply<Dequantise>(from, to, count, factors);
}

}  // namespace
}  // namespace ez_rknn::kernels
