/* SPDX-License-Identifier: Apache-2.0 */
/* The NPU's reading of an input: it undoes the layout and, for raw uint8 images, quantises on the fly. */
#pragma once

#include <cstdint>

#include "rknnrt/device/device.h"
#include "rknnrt/tensors/tensor_port.h"

namespace ez_rknn::rknnrt::simulated {

/* Reads one inference's input: dense, in ONNX order, in the model's type. `stored` and `dense` belong to the
 * inference. */
void load_input(const TensorPort &port, InputReading reading, const uint8_t *stored, uint8_t *dense);

}  // namespace ez_rknn::rknnrt::simulated
