/* The factors of a rule, laid out as the loops need them. */
#ifndef EZ_RKNN_FACTORS_H
#define EZ_RKNN_FACTORS_H

#include "kernels/elements.h"

namespace ezr {

/* Those of one channel, or of all channels where they have the same. */
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

/* Those of channels that lie side by side, pixel after pixel: repeated until it pays to begin anew. */
class PatternFactors {
  public:
    PatternFactors(const ezr_conversion &conversion, size_t first, size_t channels);
    PatternFactors(const PatternFactors &) = delete;
    PatternFactors &operator=(const PatternFactors &) = delete;

    const Factors &factors() const { return factors_; }
    /* Elements until the factors begin anew; 0: they are all the same. */
    size_t period() const { return period_; }

  private:
    static constexpr size_t kMost = 768;

    void repeat(const ezr_conversion &conversion, size_t first, size_t channels);

    size_t period_ = 0;
    double a_[kMost];
    double b_[kMost];
    float estimate_a_[kMost];
    float estimate_b_[kMost];
    ChannelFactors channel_;
    Factors factors_{};
};

}  // namespace ezr

#endif
