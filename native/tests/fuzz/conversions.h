/* The conversions of a model's inputs and outputs, in buffers on the heap, of which sanitizers see every byte. */
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "tests/fuzz/choice.h"

namespace ez_rknn::tests::fuzz {

/* An enumeration of C may hold any number. */
template <typename Enumeration>
void put_number(Enumeration &place, int32_t number) {
    std::memcpy(&place, &number, sizeof place);
}

/* A rknn_tensor_type that inputs are given in, mostly one of those that are converted; or another number. */
int32_t any_type(Choice &choice);
/* A rknn_tensor_format, mostly that of images; or another number. */
int32_t any_format(Choice &choice);

/* Bytes of an element of a rknn_tensor_type; 1 for any other number. */
uint32_t element_size(int32_t type);

/* What a program gives and gets, converted from and to a few types and layouts, and the attributes of custom operators.
 * The file is one that opens. */
void convert_all(const uint8_t *data, size_t size, Choice choice);

}  // namespace ez_rknn::tests::fuzz
