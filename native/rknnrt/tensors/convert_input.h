/* SPDX-License-Identifier: Apache-2.0 */
/* The conversion of a program's input (rknn_inputs_set) to what the NPU reads, as the vendor's runtime does it.
 *
 * `store_input` is the CPU's part: it normalises, converts and lays out the data in the NPU's own buffer, byte for byte
 * as recorded from the vendor's library, defects included. The device reads that buffer. */
#pragma once

#include <cstdint>
#include <optional>

#include "rknn_abi.h"
#include "rknnrt/device/device.h"
#include "rknnrt/tensors/tensor_port.h"

namespace ez_rknn::rknnrt {

/* Converts one input into the NPU's buffer. Combinations that the vendor's library refuses (but answers with 0) are
 * logged, leave the buffer as it was and return nothing. Wrong arguments fail with RKNN_ERR_PARAM_INVALID. */
std::optional<InputReading> store_input(const TensorPort &port, const rknn_input &input, uint32_t index,
                                        uint8_t *stored, size_t capacity);

/* Fills the ends of an image's rows, as the NPU does before it reads the image if the compiler says so. `stored` has
 * all inferences of a run. */
void fill_row_ends(const TensorPort &port, uint8_t *stored);

}  // namespace ez_rknn::rknnrt
