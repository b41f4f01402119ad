/* SPDX-License-Identifier: Apache-2.0 */
/* The factors of a rule, laid out as the loops need them. */
#pragma once

#include "kernels/elements.h"

namespace ez_rknn::kernels {

/* The factors of one channel, or of all channels if they share them. */
class ChannelFactors {
  public:
    ChannelFactors(const ezr_conversion &conversion, size_t channel);
    ChannelFactors(const ChannelFactors &) = delete;
    ChannelFactors &operator=(const ChannelFactors &) = delete;

    const Factors &factors() const { return factors_; }

  private:
    float estimate_a_ = 0;
    float estimate_b_ = 0;
    Factors factors_{};
};

/* The factors of adjacent channels, pixel after pixel, repeated until starting over costs little. */
class PatternFactors {
  public:
    PatternFactors(const ezr_conversion &conversion, size_t first, size_t channels);
    PatternFactors(const PatternFactors &) = delete;
    PatternFactors &operator=(const PatternFactors &) = delete;

    const Factors &factors() const { return factors_; }
    /* Elements until the factors repeat; 0: they are all the same. */
    size_t period() const { return period_; }

  private:
    static constexpr size_t most = 768;

    void repeat(const ezr_conversion &conversion, size_t first, size_t channels);

    size_t period_ = 0;
    double a_[most];
    double b_[most];
    float estimate_a_[most];
    float estimate_b_[most];
    ChannelFactors channel_;
    Factors factors_{};
};

}  // namespace ez_rknn::kernels
