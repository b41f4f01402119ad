/* Everything that the simulated runtime does with an untrusted model file, in memory of exactly the size
 * that its queries tell. */
#pragma once

#include <cstddef>
#include <cstdint>

namespace ez_rknn::tests::fuzz {

/* Opens the file with rknn_init; of one that opens, asks every query, converts inputs and outputs of every type and
 * layout, copied and bound, in all its shapes. Which combinations, the content and `round` decide. Aborts the process
 * where something is wrong that no sanitizer sees. Returns whether the file opened. */
bool exercise(const uint8_t *data, size_t size, uint32_t round = 0);

}  // namespace ez_rknn::tests::fuzz
