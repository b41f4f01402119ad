/* From what a program hands to rknn_inputs_set to what the NPU reads, the way the vendor's runtime does it.
 *
 * There are two steps, as on a board. `store_input` is what the CPU does in rknn_inputs_set: it normalises, converts
 * and lays out the data in the NPU's own buffer, byte for byte as recorded from the vendor's library, defects included.
 * `load_input` is what the NPU does when it reads that buffer: it undoes the layout and, for raw uint8 images,
 * quantises on the fly. */
#pragma once

#include <cstdint>
#include <optional>

#include "rknn_abi.h"
#include "rknnrt/tensors/tensor_port.h"

namespace ez_rknn::simulator {

/* How the NPU is to read a buffer. */
struct InputReading {
    bool raw_uint8 = false;  /* the buffer holds pixels; the NPU subtracts, multiplies and shifts while it reads */
    bool dense_rows = false; /* rows follow each other without the gap that w_stride makes */
};

/* Converts one input into the NPU's buffer. Combinations that the vendor's library refuses (but answers with 0) are
 * logged, leave the buffer as it was and return nothing. Wrong arguments fail with RKNN_ERR_PARAM_INVALID. */
std::optional<InputReading> store_input(const TensorPort &port, const rknn_input &input, uint32_t index,
                                        uint8_t *stored, size_t capacity);

/* What the NPU does before it reads an image, where the compiler has it do so: fills the ends of the rows. `stored` has
 * all inferences of a run. */
void fill_row_ends(const TensorPort &port, uint8_t *stored);

/* Reads one inference's input: dense, in ONNX order, in the model's type. `stored` and `dense` are the inference's. */
void load_input(const TensorPort &port, InputReading reading, const uint8_t *stored, uint8_t *dense);

}  // namespace ez_rknn::simulator
