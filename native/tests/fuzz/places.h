/* SPDX-License-Identifier: Apache-2.0 */
/* The positions of the fields in a model file's FlatBuffer, found by walking the schema's tables. */
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ez_rknn::tests::fuzz {

struct Places {
    struct Number {
        size_t position;
        size_t size; /* bytes */
    };
    std::vector<Number> numbers; /* in tables and in vectors */
    std::vector<size_t> offsets;
    std::vector<size_t> lengths; /* of vectors */
    std::vector<size_t> slots;   /* of field lists, and their sizes */
    std::vector<Number> bytes;   /* texts and documents */
};

/* Finds the places in a FlatBuffer, as far as it can be followed. */
Places find_places(const uint8_t *buffer, size_t size);

}  // namespace ez_rknn::tests::fuzz
