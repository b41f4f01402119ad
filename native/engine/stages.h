/* SPDX-License-Identifier: Apache-2.0 */
/* Durations of the stages of successful tasks. */
#pragma once

#include <array>

#include "engine/histogram.h"

namespace ez_rknn::engine {

/* Guarded by the engine's lock. */
class Stages {
  public:
    void add(const ezr_result &result) {
        stages_[EZR_STAGE_QUEUE].add(result.started_ns - result.submitted_ns);
        stages_[EZR_STAGE_INPUT].add(result.input_ns - result.started_ns);
        stages_[EZR_STAGE_NPU].add(result.npu_ns - result.input_ns);
        stages_[EZR_STAGE_OUTPUT].add(result.finished_ns - result.npu_ns);
        stages_[EZR_STAGE_TOTAL].add(result.finished_ns - result.submitted_ns);
    }
    void summarise(ezr_stage_stats *stages) const {
        for (const Histogram &stage : stages_) *stages++ = stage.summary();
    }

  private:
    std::array<Histogram, EZR_STAGES> stages_;
};

}  // namespace ez_rknn::engine
