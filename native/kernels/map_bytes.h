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

EZR_INLINE __m256i load_16(const uint16_t *numbers) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i *>(numbers));
}

/* The numbers for sixteen elements. */
struct Line16 {
    __m256i factor, plus, minus;

    EZR_INLINE Line16(const ByteLine &line, size_t at)
        : factor(load_16(line.factor + at)), plus(load_16(line.plus + at)), minus(load_16(line.minus + at)) {}

    /* Each byte is in the upper half of its 16 bits. */
    EZR_INLINE __m256i of(__m256i shifted, __m128i shift) const {
        const __m256i sum = _mm256_adds_epu16(_mm256_mulhi_epu16(shifted, factor), plus);
        return _mm256_srl_epi16(_mm256_subs_epu16(sum, minus), shift);
    }
};

EZR_INLINE void map_32(const uint8_t *from, uint8_t *to, const Line16 &low, const Line16 &high, __m128i shift,
                       __m256i flip) {
    const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i *>(from)), zero = _mm256_setzero_si256();
    const __m256i mapped = _mm256_packus_epi16(low.of(_mm256_unpacklo_epi8(zero, bytes), shift),
                                               high.of(_mm256_unpackhi_epi8(zero, bytes), shift));
    _mm256_storeu_si256(reinterpret_cast<__m256i *>(to), _mm256_xor_si256(mapped, flip));
}

EZR_INLINE void map_all(const ByteLine &numbers, const uint8_t *from, uint8_t *to, size_t count) {
    const ByteLine line = numbers;  // a copy, which what is written cannot change
    const __m128i shift = _mm_cvtsi32_si128(line.shift);
    const __m256i flip = _mm256_set1_epi8(static_cast<char>(line.flip));
    if (line.period == kMapBlock) {
        const Line16 low(line, 0), high(line, 16);
        for (size_t i = 0; i < count; i += kMapBlock) map_32(from + i, to + i, low, high, shift, flip);
        return;
    }
    for (size_t done = 0; done < count; done += line.period) {
        const size_t here = count - done < line.period ? count - done : line.period;
        for (size_t i = 0; i < here; i += kMapBlock) {
            map_32(from + done + i, to + done + i, Line16(line, i), Line16(line, i + 16), shift, flip);
        }
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
    for (size_t i = 0, at = 0; i < count; i += 16) {
        const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i *>(from + i));
        const __m128i low = sum_8(line, _mm_unpacklo_epi8(zero, bytes), shift, place_in_line(at));
        const __m128i high = sum_8(line, _mm_unpackhi_epi8(zero, bytes), shift, place_in_line(at + 8));
        _mm_storeu_si128(reinterpret_cast<__m128i *>(to + i), _mm_xor_si128(_mm_packus_epi16(low, high), flip));
        at = at + 16 == line.period ? 0 : at + 16;
    }
}

#elif defined(__aarch64__)

/* The numbers for eight elements. */
struct Line8 {
    uint16x8_t factor, plus, minus;

    EZR_INLINE Line8(const ByteLine &line, size_t at)
        : factor(vld1q_u16(line.factor + at)), plus(vld1q_u16(line.plus + at)), minus(vld1q_u16(line.minus + at)) {}

    EZR_INLINE uint8x8_t of(uint8x8_t bytes, int16x8_t shift) const {
        const uint16x8_t shifted = vshll_n_u8(bytes, 8);
        const uint32x4_t low = vmull_u16(vget_low_u16(shifted), vget_low_u16(factor));
        const uint16x8_t product =
            vuzp2q_u16(vreinterpretq_u16_u32(low), vreinterpretq_u16_u32(vmull_high_u16(shifted, factor)));
        return vqmovn_u16(vshlq_u16(vqsubq_u16(vqaddq_u16(product, plus), minus), shift));
    }
};

EZR_INLINE void map_16(const uint8_t *from, uint8_t *to, const Line8 &low, const Line8 &high, int16x8_t shift,
                       uint8x16_t flip) {
    const uint8x16_t bytes = vld1q_u8(from);
    const uint8x8_t mapped_low = low.of(vget_low_u8(bytes), shift), mapped_high = high.of(vget_high_u8(bytes), shift);
    vst1q_u8(to, veorq_u8(vcombine_u8(mapped_low, mapped_high), flip));
}

EZR_INLINE void map_all(const ByteLine &numbers, const uint8_t *from, uint8_t *to, size_t count) {
    const ByteLine line = numbers;  // a copy, which what is written cannot change
    const int16x8_t shift = vdupq_n_s16(static_cast<int16_t>(-line.shift));
    const uint8x16_t flip = vdupq_n_u8(line.flip);
    if (line.period == kMapBlock) {
        const Line8 numbers_of[4] = {
            {line, place_in_line(0)}, {line, place_in_line(8)}, {line, place_in_line(16)}, {line, place_in_line(24)}};
        for (size_t i = 0; i < count; i += kMapBlock) {
            map_16(from + i, to + i, numbers_of[0], numbers_of[1], shift, flip);
            map_16(from + i + 16, to + i + 16, numbers_of[2], numbers_of[3], shift, flip);
        }
        return;
    }
    for (size_t i = 0, at = 0; i < count; i += 16) {
        const Line8 low(line, place_in_line(at)), high(line, place_in_line(at + 8));
        map_16(from + i, to + i, low, high, shift, flip);
        at = at + 16 == line.period ? 0 : at + 16;
    }
}

#else

EZR_INLINE void map_all(const ByteLine &numbers, const uint8_t *from, uint8_t *to, size_t count) {
    const ByteLine line = numbers;  // a copy, which what is written cannot change
    for (size_t i = 0; i < count; ++i) {
        const size_t at = place_in_line(i % line.period);
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
