/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers of the fields that are read, table by table (see schema.h). */
#pragma once

#include <cstdint>

namespace ez_rknn::rknnrt::fields {

namespace root {
constexpr uint32_t schema = 0, graphs = 2, toolkit = 6, compiler = 7, target = 8, custom_string = 11, batch = 14,
                   shape_mode = 16, memory = 19, buffers = 20;
}
namespace memory {
constexpr uint32_t weight = 0, internal = 1;
}
namespace graph {
constexpr uint32_t tensors = 0, nodes = 1, inputs = 2, outputs = 3, normalisations = 4;
}
namespace tensor {
constexpr uint32_t type = 0, layout = 1, kind = 2, native_dims = 3, dims = 4, name = 5, scale = 10, zero_point = 11,
                   size = 12, buffer = 18;
}
namespace node {
constexpr uint32_t type = 1, name = 2, target = 3, inputs = 4, outputs = 5, parameters_type = 7, parameters = 8,
                   attributes = 9, task_counts = 10, lut_counts = 11, work_units = 12;
}
namespace normalisation {
constexpr uint32_t mean = 0, deviation = 1;
}
namespace buffer {
constexpr uint32_t data = 0;
}

}  // namespace ez_rknn::rknnrt::fields
