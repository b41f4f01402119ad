/* SPDX-License-Identifier: Apache-2.0 */
/* A histogram of durations, in a fixed amount of memory and a few instructions a value. */
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "ez_rknn_engine.h"

namespace ez_rknn::engine {

/* A log-linear histogram: every power of two is divided into 16 buckets of equal width. So a bucket is at most 1/16 of
 * its values wide, and its middle at most 1/32 (3.2 %) away from any of them. */
class Histogram {
  public:
    /* Negative durations do not happen and count as 0; those of 2^42 ns (73 minutes) and more share the last bucket. */
    void add(int64_t ns) {
        const int64_t value = std::max<int64_t>(ns, 0);
        ++buckets_[bucket_of(static_cast<uint64_t>(std::min(value, largest)))];
        ++count_;
        sum_ += value;
        max_ = std::max(max_, value);
    }

    ezr_stage_stats summary() const { return {count_, sum_, max_, percentile(50), percentile(90), percentile(99)}; }

  private:
    static constexpr uint32_t bits = 4; /* of a value, below its leading one, that select the bucket */
    static constexpr uint32_t divisions = 1U << bits;
    static constexpr uint32_t exponents = 42;
    static constexpr int64_t largest = (int64_t{1} << exponents) - 1;

    /* Values below 16 have a bucket each; the others follow, 16 buckets for each position of the leading one. */
    static uint32_t bucket_of(uint64_t value) {
        if (value < divisions) return static_cast<uint32_t>(value);
        const uint32_t shift = 63U - static_cast<uint32_t>(__builtin_clzll(value)) - bits;
        return shift * divisions + static_cast<uint32_t>(value >> shift);
    }
    static int64_t middle_of(uint32_t bucket) {
        if (bucket < 2 * divisions) return bucket;  // these are one value wide
        const uint32_t shift = bucket / divisions - 1;
        const int64_t width = int64_t{1} << shift;
        return static_cast<int64_t>(bucket - shift * divisions) * width + width / 2;
    }

    /* The smallest value that `percent` of all values do not exceed. */
    int64_t percentile(uint64_t percent) const {
        if (count_ == 0) return 0;
        const uint64_t rank = (count_ * percent + 99) / 100;
        uint64_t seen = 0;
        uint32_t bucket = 0;
        while ((seen += buckets_[bucket]) < rank) ++bucket;
        return std::min(middle_of(bucket), max_);
    }

    std::array<uint64_t, divisions *(exponents - bits + 1)> buckets_{};
    uint64_t count_ = 0;
    int64_t sum_ = 0;
    int64_t max_ = 0;
};

}  // namespace ez_rknn::engine
