/* The conversions of a model's inputs and outputs, in buffers on the heap, of which sanitizers see every byte. */
#pragma once

#include <cstddef>
#include <cstdint>

#include "choice.h"

namespace fuzz {

/* Bytes of an element of a rknn_tensor_type; 1 for any other number. */
uint32_t element_size(int32_t type);

/* What a program gives and gets, converted from and to a few types and layouts, and the attributes of custom operators.
 * The file is one that opens. */
void convert_all(const uint8_t *data, size_t size, Choice choice);

}  // namespace fuzz
