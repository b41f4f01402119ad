/* SPDX-License-Identifier: Apache-2.0 */
/* Inputs that the program writes into memory bound to the context.
 *
 * The NPU reads such memory in place if it can: with pass_through, whose bytes are in the NPU's own format; and uint8
 * pixels of images of up to four channels of int8 models, which it converts while it reads. There it also writes,
 * between rows that are shorter than w_stride. Everything else is converted by the CPU at each run, into the context's
 * own buffer, as rknn_inputs_set does it. Rows of images are w_stride pixels apart in either case, whatever the type.
 */
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "rknnrt/tensors/convert_input.h"
#include "rknnrt/tensors/io_binding.h"
#include "rknnrt/tensors/tensor_port.h"

namespace ez_rknn::rknnrt {

/* Refuses what rknn_set_io_mem refuses. Ignores the memory's size. */
void check_input_binding(const TensorPort &port, const IoBinding &binding);

/* Bytes that will be read, all inferences of a run together. */
uint64_t bound_input_bytes(const TensorPort &port, const IoBinding &binding);

/* The format in which the NPU reads the memory; nothing if the CPU must convert it. */
std::optional<InputReading> read_in_place(const TensorPort &port, const IoBinding &binding);

/* Converts the memory into the NPU's own buffer; see store_input. `dense` is working space. */
std::optional<InputReading> convert_bound_input(const TensorPort &port, const IoBinding &binding, uint32_t index,
                                                std::vector<uint8_t> &dense, uint8_t *stored, size_t capacity);

}  // namespace ez_rknn::rknnrt
