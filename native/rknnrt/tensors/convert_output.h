/* SPDX-License-Identifier: Apache-2.0 */
/* The conversion of the model's results for rknn_outputs_get: to the model's own type, or float32. Always dense and in
 * ONNX order. */
#pragma once

#include <cstddef>
#include <cstdint>

#include "rknnrt/tensors/tensor_port.h"

namespace ez_rknn::rknnrt {

/* The size of one output in bytes, all inferences of a run together. */
size_t output_bytes(const TensorPort &port, bool want_float);

/* Converts one output. `source` has the model's own type; both are dense. */
void convert_output(const TensorPort &port, bool want_float, const uint8_t *source, void *destination);

/* Writes the representation of the real number zero, `elements` times. */
void fill_with_zero(const TensorPort &port, size_t elements, uint8_t *destination);

}  // namespace ez_rknn::rknnrt
