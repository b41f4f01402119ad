/* SPDX-License-Identifier: Apache-2.0 */
/* Conversion of adjacent elements. */
#pragma once

#include <cstddef>
#include <cstdint>

#include "ez_rknn_kernels.h"

namespace ez_rknn::kernels {

/* The host's buffers may start anywhere and hold anything. */
template <typename Element>
using Unaligned __attribute__((aligned(1), may_alias)) = Element;

/* The factors of a run of elements: the same for all, or one for each. */
struct Factors {
    const double *a;
    const double *b;
    bool each;
    /* The same, for estimates (see estimate.h); doubt is 0 where estimates are impossible. */
    const float *estimate_a;
    const float *estimate_b;
    uint32_t doubt;

    /* The factors of the elements that follow the next `count`. */
    Factors after(size_t count) const {
        if (!each) return *this;
        if (doubt == 0) return {a + count, b + count, true, nullptr, nullptr, 0};
        return {a + count, b + count, true, estimate_a + count, estimate_b + count, doubt};
    }
};

/* The range of a destination's type. */
struct Range {
    int32_t least;
    int32_t most;
};

/* The types of source and destination, and the rule. */
struct Kinds {
    uint32_t rule; /* not EZR_RULE_COPY */
    rknn_tensor_type from;
    rknn_tensor_type to;
    uint32_t *met_nan; /* ezr_conversion's */
};

/* Converts `count` elements from one type to another. Every source type but the 32-bit and 64-bit integers is exact in
 * float32, which therefore all rules start from. */
void convert_elements(const Kinds &kinds, const void *from, void *to, size_t count, const Factors &factors);

}  // namespace ez_rknn::kernels
