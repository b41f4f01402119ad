/* SPDX-License-Identifier: Apache-2.0 */
/* Variants of model files that pass the checks of the container and of the FlatBuffer. */
#pragma once

#include <cstddef>
#include <cstdint>

namespace ez_rknn::tests::fuzz {

/* Changes the file in `data`, which has room for `capacity` bytes, in a few places; the same seed does the same.
 * Returns the new size. */
size_t mutate(uint8_t *data, size_t size, size_t capacity, unsigned seed);

}  // namespace ez_rknn::tests::fuzz
