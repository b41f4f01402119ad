/* SPDX-License-Identifier: Apache-2.0 */
/* All uses of an untrusted model file by the simulated runtime, in memory of exactly the size that its queries give. */
#pragma once

#include <cstddef>
#include <cstdint>

namespace ez_rknn::tests::fuzz {

/* Opens the file with rknn_init; if it opens, asks every query, converts inputs and outputs of every type and layout,
 * copied and bound, in all its shapes. The content and `round` select the combinations. Aborts the process on errors
 * that no sanitizer sees. Returns true if the file opened. */
bool exercise(const uint8_t *data, size_t size, uint32_t round = 0);

}  // namespace ez_rknn::tests::fuzz
