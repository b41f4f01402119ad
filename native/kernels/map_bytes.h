/* SPDX-License-Identifier: Apache-2.0 */
/* The loop of byte_map.h, for the instruction set that this is compiled for. */
#pragma once

#include "common/inline.h"
#include "kernels/byte_map.h"

#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace ez_rknn::kernels {
namespace {

#if defined(__AVX2__)

EZ_RKNN_INLINE __m256i load_32(const void *numbers) {
    return _mm256_loadu_si256(static_cast<const __m256i *>(numbers));
}

/* The numbers for sixteen elements. */
struct Line16 {
    __m256i factor, plus, minus;

    EZ_RKNN_INLINE Line16(const ByteLine &line, size_t at)
        : factor(load_32(line.factor + at)), plus(load_32(line.plus + at)), minus(load_32(line.minus + at)) {}

    /* Each byte is in the upper half of its 16 bits. */
    EZ_RKNN_INLINE __m256i of(__m256i shifted, __m128i shift) const {
        const __m256i sum = _mm256_adds_epu16(_mm256_mulhi_epu16(shifted, factor), plus);
        return _mm256_srl_epi16(_mm256_subs_epu16(sum, minus), shift);
    }
};

/* The numbers for a block. */
template <bool Ties>
struct Line32 {
    Line16 low, high;
    __m256i turn, bit;

    EZ_RKNN_INLINE Line32(const ByteLine &line, size_t at)
        : low(line, at), high(line, at + 16), turn(load_32(line.turn + at)), bit(load_32(line.bit + at)) {}

    /* The fraction added to the bytes, in units of 1/256. */
    EZ_RKNN_INLINE __m256i lift(__m256i bytes) const {
        if (!Ties) return _mm256_setzero_si256();
        const __m256i odd = _mm256_and_si256(_mm256_xor_si256(bytes, turn), bit);
        return _mm256_add_epi8(odd, odd);
    }

    EZ_RKNN_INLINE void map(const uint8_t *from, uint8_t *to, __m128i shift, __m256i flip) const {
        const __m256i bytes = load_32(from), below = lift(bytes);
        const __m256i mapped = _mm256_packus_epi16(low.of(_mm256_unpacklo_epi8(below, bytes), shift),
                                                   high.of(_mm256_unpackhi_epi8(below, bytes), shift));
        _mm256_storeu_si256(reinterpret_cast<__m256i *>(to), _mm256_xor_si256(mapped, flip));
    }
};

template <bool Ties>
EZ_RKNN_INLINE void map_blocks(const ByteLine &line, const uint8_t *from, uint8_t *to, size_t count) {
    const __m128i shift = _mm_cvtsi32_si128(line.shift);
    const __m256i flip = _mm256_set1_epi8(static_cast<char>(line.flip));
    if (line.period == map_block) {
        const Line32<Ties> all(line, 0);
        for (size_t i = 0; i < count; i += map_block) all.map(from + i, to + i, shift, flip);
        return;
    }
    for (size_t done = 0; done < count; done += line.period) {
        const size_t here = count - done < line.period ? count - done : line.period;
        for (size_t i = 0; i < here; i += map_block) {
            Line32<Ties>(line, i).map(from + done + i, to + done + i, shift, flip);
        }
    }
}

#elif defined(__SSE2__)

EZ_RKNN_INLINE __m128i load_16(const void *numbers) {
    return _mm_loadu_si128(static_cast<const __m128i *>(numbers));
}

EZ_RKNN_INLINE __m128i sum_8(const ByteLine &line, __m128i shifted, __m128i shift, size_t at) {
    const __m128i product = _mm_mulhi_epu16(shifted, load_16(line.factor + at));
    const __m128i sum = _mm_adds_epu16(product, load_16(line.plus + at));
    return _mm_srl_epi16(_mm_subs_epu16(sum, load_16(line.minus + at)), shift);
}

template <bool Ties>
EZ_RKNN_INLINE void map_blocks(const ByteLine &line, const uint8_t *from, uint8_t *to, size_t count) {
    const __m128i shift = _mm_cvtsi32_si128(line.shift);
    const __m128i flip = _mm_set1_epi8(static_cast<char>(line.flip));
    for (size_t i = 0, at = 0; i < count; i += 16) {
        const __m128i bytes = load_16(from + i);
        __m128i below = _mm_setzero_si128();
        if (Ties) {
            below = _mm_and_si128(_mm_xor_si128(bytes, load_16(line.turn + at)), load_16(line.bit + at));
            below = _mm_add_epi8(below, below);
        }
        const __m128i low = sum_8(line, _mm_unpacklo_epi8(below, bytes), shift, place_in_line(at));
        const __m128i high = sum_8(line, _mm_unpackhi_epi8(below, bytes), shift, place_in_line(at + 8));
        _mm_storeu_si128(reinterpret_cast<__m128i *>(to + i), _mm_xor_si128(_mm_packus_epi16(low, high), flip));
        at = at + 16 == line.period ? 0 : at + 16;
    }
}

#elif defined(__aarch64__)

/* The numbers for eight elements. */
struct Line8 {
    uint16x8_t factor, plus, minus;

    EZ_RKNN_INLINE Line8(const ByteLine &line, size_t at)
        : factor(vld1q_u16(line.factor + at)), plus(vld1q_u16(line.plus + at)), minus(vld1q_u16(line.minus + at)) {}

    /* Each byte is in the upper half of its 16 bits. */
    EZ_RKNN_INLINE uint8x8_t of(uint16x8_t shifted, int16x8_t shift) const {
        const uint32x4_t low = vmull_u16(vget_low_u16(shifted), vget_low_u16(factor));
        const uint16x8_t product =
            vuzp2q_u16(vreinterpretq_u16_u32(low), vreinterpretq_u16_u32(vmull_high_u16(shifted, factor)));
        return vqmovn_u16(vshlq_u16(vqsubq_u16(vqaddq_u16(product, plus), minus), shift));
    }
};

/* The numbers for sixteen elements. */
template <bool Ties>
struct Line16 {
    Line8 low, high;
    uint8x16_t turn, bit;

    EZ_RKNN_INLINE Line16(const ByteLine &line, size_t at)
        : low(line, place_in_line(at)),
          high(line, place_in_line(at + 8)),
          turn(vld1q_u8(line.turn + at)),
          bit(vld1q_u8(line.bit + at)) {}

    /* The fraction added to the bytes, in units of 1/256. */
    EZ_RKNN_INLINE uint8x16_t lift(uint8x16_t bytes) const {
        if (!Ties) return vdupq_n_u8(0);
        const uint8x16_t odd = vandq_u8(veorq_u8(bytes, turn), bit);
        return vaddq_u8(odd, odd);
    }

    EZ_RKNN_INLINE void map(const uint8_t *from, uint8_t *to, int16x8_t shift, uint8x16_t flip) const {
        const uint8x16_t bytes = vld1q_u8(from), below = lift(bytes);
        const uint8x8_t mapped_low = low.of(vreinterpretq_u16_u8(vzip1q_u8(below, bytes)), shift);
        const uint8x8_t mapped_high = high.of(vreinterpretq_u16_u8(vzip2q_u8(below, bytes)), shift);
        vst1q_u8(to, veorq_u8(vcombine_u8(mapped_low, mapped_high), flip));
    }
};

template <bool Ties>
EZ_RKNN_INLINE void map_blocks(const ByteLine &line, const uint8_t *from, uint8_t *to, size_t count) {
    const int16x8_t shift = vdupq_n_s16(static_cast<int16_t>(-line.shift));
    const uint8x16_t flip = vdupq_n_u8(line.flip);
    if (line.period == map_block) {
        const Line16<Ties> first(line, 0), second(line, 16);
        for (size_t i = 0; i < count; i += map_block) {
            first.map(from + i, to + i, shift, flip);
            second.map(from + i + 16, to + i + 16, shift, flip);
        }
        return;
    }
    for (size_t i = 0, at = 0; i < count; i += 16) {
        Line16<Ties>(line, at).map(from + i, to + i, shift, flip);
        at = at + 16 == line.period ? 0 : at + 16;
    }
}

#else

template <bool Ties>
EZ_RKNN_INLINE void map_blocks(const ByteLine &line, const uint8_t *from, uint8_t *to, size_t count) {
    for (size_t i = 0; i < count; ++i) {
        const size_t element = i % line.period, at = place_in_line(element);
        const uint32_t below = Ties ? 2U * ((from[i] ^ line.turn[element]) & line.bit[element]) : 0;
        const uint32_t product = (from[i] * 256U + below) * line.factor[at] >> 16;
        int32_t sum = static_cast<int32_t>(product) + line.plus[at];
        sum = (sum < UINT16_MAX ? sum : UINT16_MAX) - line.minus[at];
        sum = (sum > 0 ? sum : 0) >> line.shift;
        to[i] = static_cast<uint8_t>((sum < UINT8_MAX ? sum : UINT8_MAX) ^ line.flip);
    }
}

#endif

EZ_RKNN_INLINE void map_all(const ByteLine &numbers, const uint8_t *from, uint8_t *to, size_t count) {
    const ByteLine line = numbers;  // a copy, which the writes cannot alias
    line.has_ties ? map_blocks<true>(line, from, to, count) : map_blocks<false>(line, from, to, count);
}

}  // namespace
}  // namespace ez_rknn::kernels
