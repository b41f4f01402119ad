/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/factors.h"

#include <algorithm>

#include "kernels/estimate.h"

namespace ez_rknn::kernels {

ChannelFactors::ChannelFactors(const ezr_conversion &conversion, size_t channel) {
    if (conversion.rule == EZR_RULE_COPY) return;
    const size_t index = conversion.channels == 1 ? 0 : channel;
    const double *a = conversion.a + index, *b = conversion.b + index;
    const uint32_t doubt = doubt_of(conversion.rule, *a, *b);
    estimate_a_ = estimate_factor(conversion.rule, *a);
    estimate_b_ = estimate_offset(*b, doubt);
    factors_ = {a, b, false, &estimate_a_, &estimate_b_, doubt};
}

PatternFactors::PatternFactors(const ezr_conversion &conversion, size_t first, size_t channels)
    : channel_(conversion, first), factors_(channel_.factors()) {
    if (conversion.rule == EZR_RULE_COPY || conversion.channels == 1 || channels == 1) return;
    if (channels <= most / 2) {
        repeat(conversion, first, channels);
    } else {
        period_ = channels;
        factors_ = {conversion.a + first, conversion.b + first, true, nullptr, nullptr, 0};
    }
}

void PatternFactors::repeat(const ezr_conversion &conversion, size_t first, size_t channels) {
    period_ = most / channels * channels;
    const double *a = conversion.a + first, *b = conversion.b + first;
    uint32_t doubt = 0;
    bool is_estimable = true;
    for (size_t i = 0; i < channels; ++i) {
        const uint32_t its = doubt_of(conversion.rule, a[i], b[i]);
        is_estimable = is_estimable && its != 0;
        doubt = std::max(doubt, its);
    }
    for (size_t i = 0; i < channels; ++i) {
        a_[i] = a[i];
        b_[i] = b[i];
        estimate_a_[i] = estimate_factor(conversion.rule, a[i]);
        estimate_b_[i] = estimate_offset(b[i], doubt);
    }
    for (size_t i = channels; i < period_; ++i) {
        a_[i] = a_[i - channels];
        b_[i] = b_[i - channels];
        estimate_a_[i] = estimate_a_[i - channels];
        estimate_b_[i] = estimate_b_[i - channels];
    }
    factors_ = {a_, b_, true, estimate_a_, estimate_b_, is_estimable ? doubt : 0};
}

}  // namespace ez_rknn::kernels
