/* SPDX-License-Identifier: Apache-2.0 */
/* Outputs written into memory bound to the context: as the NPU has them (its own type, NC1HWC2), or converted by the
 * CPU at the end of each run (NCHW or NHWC, in the model's type or as float32, without gaps). */
#pragma once

#include <cstdint>
#include <vector>

#include "rknnrt/tensors/io_binding.h"
#include "rknnrt/tensors/tensor_port.h"

namespace ez_rknn::rknnrt {

/* Refuses types and layouts for which the vendor's library's output is unknown. */
void check_output_binding(const TensorPort &port, const IoBinding &binding);

/* Bytes that will be written, all inferences of a run together. */
uint64_t bound_output_bytes(const TensorPort &port, const IoBinding &binding);

/* `dense` is what the model produced: its own type, in ONNX order. `room` is working space. */
void write_bound_output(const TensorPort &port, const IoBinding &binding, const uint8_t *dense,
                        std::vector<uint8_t> &room);

}  // namespace ez_rknn::rknnrt
