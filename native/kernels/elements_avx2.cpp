/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled for x86-64 with AVX2, FMA and F16C; called where the processor has them. */
#include "kernels/chunk.h"
#include "kernels/halve_bytes.h"
#include "kernels/map_bytes.h"
#include "kernels/spread.h"

namespace ez_rknn::kernels {

void convert_elements_avx2(const Kinds &kinds, size_t from_size, size_t to_size, const void *from, void *to,
                           size_t count, const Factors &factors) {
    convert_chunks(kinds, from_size, to_size, from, to, count, factors);
}

void map_bytes_avx2(const ByteLine &line, const uint8_t *from, uint8_t *to, size_t count) {
    map_all(line, from, to, count);
}

void bytes_to_halves_avx2(const HalfLine &line, const uint8_t *from, void *to, size_t count) {
    halve_all(line, from, to, count);
}

void spread_block_avx2(const Kinds &kinds, const Spread &spread) {
    spread_all(kinds, spread);
}

}  // namespace ez_rknn::kernels
