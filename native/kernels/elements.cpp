/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/elements.h"

#include "kernels/chunk.h"
#include "kernels/halve_bytes.h"
#include "kernels/layout.h"
#include "kernels/map_bytes.h"
#include "kernels/spread.h"

namespace ez_rknn::kernels {

#if defined(__x86_64__)
/* Defined in elements_avx2.cpp. */
void convert_elements_avx2(const Kinds &kinds, size_t from_size, size_t to_size, const void *from, void *to,
                           size_t count, const Factors &factors);
void map_bytes_avx2(const ByteLine &line, const uint8_t *from, uint8_t *to, size_t count);
void bytes_to_halves_avx2(const HalfLine &line, const uint8_t *from, void *to, size_t count);
void spread_block_avx2(const Kinds &kinds, const Spread &spread);

namespace {
// Every processor with AVX2 has F16C too, which not every compiler can test for here.
const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}  // namespace
#endif

void convert_elements(const Kinds &kinds, const void *from, void *to, size_t count, const Factors &factors) {
    const size_t from_size = element_size(kinds.from), to_size = element_size(kinds.to);
#if defined(__x86_64__)
    if (has_avx2) return convert_elements_avx2(kinds, from_size, to_size, from, to, count, factors);
#endif
    convert_chunks(kinds, from_size, to_size, from, to, count, factors);
}

void map_bytes(const ByteLine &line, const uint8_t *from, uint8_t *to, size_t count) {
#if defined(__x86_64__)
    if (has_avx2) return map_bytes_avx2(line, from, to, count);
#endif
    map_all(line, from, to, count);
}

void bytes_to_halves(const HalfLine &line, const uint8_t *from, void *to, size_t count) {
#if defined(__x86_64__)
    if (has_avx2) return bytes_to_halves_avx2(line, from, to, count);
#endif
    halve_all(line, from, to, count);
}

void spread_block(const Kinds &kinds, const Spread &spread) {
#if defined(__x86_64__)
    if (has_avx2) return spread_block_avx2(kinds, spread);
#endif
    spread_all(kinds, spread);
}

}  // namespace ez_rknn::kernels
