/* SPDX-License-Identifier: Apache-2.0 */
/* An exponential moving average over roughly the last ten values. */
#pragma once

#include <cstdint>

namespace ez_rknn::engine {

class MovingAverage {
  public:
    void add(int64_t value) {
        // The first value counts in full: nothing else is known.
        average_ = is_known_ ? average_ + (value - average_) / 8 : value;
        is_known_ = true;
    }
    bool is_known() const { return is_known_; }
    int64_t value() const { return average_; }

  private:
    int64_t average_ = 0;
    bool is_known_ = false;
};

}  // namespace ez_rknn::engine
