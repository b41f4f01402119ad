/* SPDX-License-Identifier: Apache-2.0 */
/* Pacing: admits tasks no faster than the contexts finish them. */
#pragma once

#include <cstdint>

#include "engine/monotonic.h"
#include "engine/moving_average.h"

namespace ez_rknn::engine {

/* With n contexts, each occupied by a task for a time t, one becomes free every t / n on average. Guarded by the
 * engine's lock. */
class Pace {
  public:
    explicit Pace(bool is_kept) : is_kept_(is_kept) {}

    bool is_kept() const { return is_kept_; }
    void admitted(int64_t at_ns) { last_ns_ = at_ns; }
    void occupied(int64_t ns) { occupied_.add(ns); }

    /* The time from which the next task may be admitted; always past without pacing, and while nothing is known. */
    Deadline due(uint32_t contexts) const {
        if (!is_kept_ || !occupied_.is_known() || contexts == 0) return Deadline::at(0);
        return Deadline::at(last_ns_ + occupied_.value() / contexts);
    }

  private:
    const bool is_kept_;
    int64_t last_ns_ = 0;
    MovingAverage occupied_;
};

}  // namespace ez_rknn::engine
