/* SPDX-License-Identifier: Apache-2.0 */
/* The punctuality of waits for modelled time. A busy machine wakes threads late; then modelled time is not what a
 * running session sees, and the user has to know. */
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

namespace ez_rknn::rknnrt::simulated {

/* Counts the waits of a model's contexts. Thread-safe. */
class Waits {
  public:
    /* Counts a wait that took `duration_ns` by the model and ended `late_ns` after that. */
    void count(int64_t duration_ns, int64_t late_ns);
    /* A sentence if a noticeable share of the waits since the last remark was late; else "". */
    std::string remark();

  private:
    std::atomic<uint64_t> all_{0};
    std::atomic<uint64_t> late_{0};
};

}  // namespace ez_rknn::rknnrt::simulated
