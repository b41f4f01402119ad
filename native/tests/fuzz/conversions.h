/* SPDX-License-Identifier: Apache-2.0 */
/* The conversions of a model's inputs and outputs, in heap buffers, where sanitizers check every byte. */
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "tests/fuzz/choice.h"

namespace ez_rknn::tests::fuzz {

/* Makes an enumeration of any number, as C allows. */
template <typename Enumeration>
void put_number(Enumeration &place, int32_t number) {
    std::memcpy(&place, &number, sizeof place);
}

/* A rknn_tensor_type for inputs, mostly one that is converted; or another number. */
int32_t any_type(Choice &choice);
/* A rknn_tensor_format, mostly that of images; or another number. */
int32_t any_format(Choice &choice);

/* The size in bytes of an element of a rknn_tensor_type; 1 for any other number. */
uint32_t element_size(int32_t type);

/* Converts inputs and outputs from and to a few types and layouts, and reads the attributes of custom operators. The
 * file must be one that opens. */
void convert_all(const uint8_t *data, size_t size, Choice choice);

}  // namespace ez_rknn::tests::fuzz
