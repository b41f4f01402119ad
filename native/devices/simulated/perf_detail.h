/* SPDX-License-Identifier: Apache-2.0 */
/* The text of RKNN_QUERY_PERF_DETAIL. */
#pragma once

#include <string>

#include "devices/simulated/simulated_model.h"

namespace ez_rknn::rknnrt::simulated {

/* Memory sizes and, if asked for, a table of the layers with their modelled times. */
std::string perf_detail_text(const SimulatedModel &model, size_t graph, bool layers);

}  // namespace ez_rknn::rknnrt::simulated
