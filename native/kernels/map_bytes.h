/* The loop of byte_map.h, for the instruction set that this is compiled for. */
#ifndef EZ_RKNN_MAP_BYTES_H
#define EZ_RKNN_MAP_BYTES_H

#include "byte_map.h"
#include "inline.h"

#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace ezr {
namespace {

#if defined(__AVX2__)

/* The instructions that unpack and pack work on each half of a register by itself: so do the numbers that go with it.
 */
EZR_INLINE __m256i load_halves(const uint16_t *low, const uint16_t *high) {
    const __m256i lower = _mm256_castsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i *>(low)));
    return _mm256_inserti128_si256(lower, _mm_loadu_si128(reinterpret_cast<const __m128i *>(high)), 1);
}

/* Sixteen elements of the line: from i on, and from i + 16 on. */
struct Line16 {
    __m256i factor, plus, minus;

    EZR_INLINE Line16(const ByteLine &line, size_t i)
        : factor(load_halves(line.factor + i, line.factor + i + 16)),
          plus(load_halves(line.plus + i, line.plus + i + 16)),
          minus(load_halves(line.minus + i, line.minus + i + 16)) {}

    /* Each byte is in the upper half of its 16 bits. */
    EZR_INLINE __m256i of(__m256i shifted, __m128i shift) const {
        const __m256i sum = _mm256_adds_epu16(_mm256_mulhi_epu16(shifted, factor), plus);
        return _mm256_srl_epi16(_mm256_subs_epu16(sum, minus), shift);
    }
};

EZR_INLINE __m256i map_32(const uint8_t *from, const Line16 &low, const Line16 &high, __m128i shift) {
    const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i *>(from)), zero = _mm256_setzero_si256();
    return _mm256_packus_epi16(low.of(_mm256_unpacklo_epi8(zero, bytes), shift),
                               high.of(_mm256_unpackhi_epi8(zero, bytes), shift));
}

EZR_INLINE void map_all(const ByteLine &numbers, const uint8_t *from, uint8_t *to, size_t count) {
    const ByteLine line = numbers;  // a copy, which what is written cannot change
    const __m128i shift = _mm_cvtsi32_si128(line.shift);
    const __m256i flip = _mm256_set1_epi8(static_cast<char>(line.flip));
    if (line.uniform) {
        const Line16 all(line, 0);
        for (size_t i = 0; i < count; i += kMapBlock) {
            const __m256i mapped = map_32(from + i, all, all, shift);
            _mm256_storeu_si256(reinterpret_cast<__m256i *>(to + i), _mm256_xor_si256(mapped, flip));
        }
        return;
    }
    for (size_t i = 0; i < count; i += kMapBlock) {
        const __m256i mapped = map_32(from + i, Line16(line, i), Line16(line, i + 8), shift);
        _mm256_storeu_si256(reinterpret_cast<__m256i *>(to + i), _mm256_xor_si256(mapped, flip));
    }
}

#elif defined(__SSE2__)

EZR_INLINE __m128i load_8(const uint16_t *numbers) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i *>(numbers));
}

EZR_INLINE __m128i sum_8(const ByteLine &line, __m128i shifted, __m128i shift, size_t i) {
    const __m128i product = _mm_mulhi_epu16(shifted, load_8(line.factor + i));
    const __m128i sum = _mm_adds_epu16(product, load_8(line.plus + i));
    return _mm_srl_epi16(_mm_subs_epu16(sum, load_8(line.minus + i)), shift);
}

EZR_INLINE void map_all(const ByteLine &numbers, const uint8_t *from, uint8_t *to, size_t count) {
    const ByteLine line = numbers;  // a copy, which what is written cannot change
    const __m128i shift = _mm_cvtsi32_si128(line.shift), zero = _mm_setzero_si128();
    const __m128i flip = _mm_set1_epi8(static_cast<char>(line.flip));
    for (size_t i = 0; i < count; i += 16) {
        const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i *>(from + i));
        const size_t at = line.uniform ? 0 : i;
        const __m128i low = sum_8(line, _mm_unpacklo_epi8(zero, bytes), shift, at);
        const __m128i high = sum_8(line, _mm_unpackhi_epi8(zero, bytes), shift, at + 8);
        _mm_storeu_si128(reinterpret_cast<__m128i *>(to + i), _mm_xor_si128(_mm_packus_epi16(low, high), flip));
    }
}

#elif defined(__aarch64__)

EZR_INLINE uint8x8_t sum_8(const ByteLine &line, uint8x8_t bytes, int16x8_t shift, size_t i) {
    const uint16x8_t shifted = vshll_n_u8(bytes, 8), factor = vld1q_u16(line.factor + i);
    const uint32x4_t low = vmull_u16(vget_low_u16(shifted), vget_low_u16(factor));
    const uint16x8_t product =
        vuzp2q_u16(vreinterpretq_u16_u32(low), vreinterpretq_u16_u32(vmull_high_u16(shifted, factor)));
    const uint16x8_t sum = vqsubq_u16(vqaddq_u16(product, vld1q_u16(line.plus + i)), vld1q_u16(line.minus + i));
    return vqmovn_u16(vshlq_u16(sum, shift));
}

EZR_INLINE void map_all(const ByteLine &numbers, const uint8_t *from, uint8_t *to, size_t count) {
    const ByteLine line = numbers;  // a copy, which what is written cannot change
    const int16x8_t shift = vdupq_n_s16(static_cast<int16_t>(-line.shift));
    const uint8x8_t flip = vdup_n_u8(line.flip);
    for (size_t i = 0; i < count; i += 8) {
        const size_t at = line.uniform ? 0 : i;
        vst1_u8(to + i, veor_u8(sum_8(line, vld1_u8(from + i), shift, at), flip));
    }
}

#else

EZR_INLINE void map_all(const ByteLine &numbers, const uint8_t *from, uint8_t *to, size_t count) {
    const ByteLine line = numbers;  // a copy, which what is written cannot change
    for (size_t i = 0; i < count; ++i) {
        const size_t at = line.uniform ? 0 : i;
        int32_t sum = static_cast<int32_t>(static_cast<uint32_t>(from[i]) * line.factor[at] >> 8) + line.plus[at];
        sum = (sum < UINT16_MAX ? sum : UINT16_MAX) - line.minus[at];
        sum = (sum > 0 ? sum : 0) >> line.shift;
        to[i] = static_cast<uint8_t>((sum < UINT8_MAX ? sum : UINT8_MAX) ^ line.flip);
    }
}

#endif

}  // namespace
}  // namespace ezr

#endif
