/* SPDX-License-Identifier: Apache-2.0 */
/* One block of estimates (see estimate.h), for the instruction set that this is compiled for. */
#pragma once

#include "kernels/estimate.h"

#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace ez_rknn::kernels {
namespace {

constexpr size_t block_size = 64;
constexpr int32_t fraction_mask = (1 << fraction_bits) - 1;

/* The distance of a block's elements from a tie. NaN has a fraction of 0, as few others have. */
enum class Tie { far, close, closest };

#if defined(__AVX2__)

/* v of eight elements, with the factors from i on. Values that are not finite or do not fit become INT32_MIN, whose
 * fraction is 0: doubtful. */
template <bool Each>
EZ_RKNN_INLINE __m256i estimate_8(const Unaligned<float> *from, const Factors &factors, size_t i) {
    const __m256 a = Each ? _mm256_loadu_ps(factors.estimate_a + i) : _mm256_set1_ps(*factors.estimate_a);
    const __m256 b = Each ? _mm256_loadu_ps(factors.estimate_b + i) : _mm256_set1_ps(*factors.estimate_b);
    const __m256 x = _mm256_loadu_ps(reinterpret_cast<const float *>(from));
    return _mm256_cvtps_epi32(_mm256_fmadd_ps(x, a, b));
}

/* The block's first element has the factors at `first`. All elements are beyond doubt if ties are far. */
template <bool Each, bool Signed>
EZ_RKNN_INLINE Tie estimate_block(const Unaligned<float> *from, void *to, const Factors &factors, size_t first) {
    const __m256i mask = _mm256_set1_epi32(fraction_mask);
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    __m256i closest = mask;
    for (size_t i = 0; i < block_size; i += 32) {
        __m256i whole[4];
        for (size_t part = 0; part < 4; ++part) {
            const __m256i v = estimate_8<Each>(from + i + 8 * part, factors, first + i + 8 * part);
            closest = _mm256_min_epi32(closest, _mm256_and_si256(v, mask));
            whole[part] = _mm256_srai_epi32(v, fraction_bits);
        }
        const __m256i low = _mm256_packs_epi32(whole[0], whole[1]), high = _mm256_packs_epi32(whole[2], whole[3]);
        const __m256i packed = Signed ? _mm256_packs_epi16(low, high) : _mm256_packus_epi16(low, high);
        // The packing instructions work on each half of a register separately.
        _mm256_storeu_si256(reinterpret_cast<__m256i *>(static_cast<char *>(to) + i),
                            _mm256_permutevar8x32_epi32(packed, order));
    }
    const __m256i limit = _mm256_set1_epi32(static_cast<int>(2 * factors.doubt));
    if (_mm256_movemask_epi8(_mm256_cmpgt_epi32(closest, limit)) == -1) return Tie::far;
    const bool is_zero = _mm256_movemask_epi8(_mm256_cmpeq_epi32(closest, _mm256_setzero_si256())) != 0;
    return is_zero ? Tie::closest : Tie::close;
}

#elif defined(__aarch64__)

/* v of four elements, with the factors from i on. Values that do not fit saturate, as they must; NaN becomes 0, which
 * is doubtful. */
template <bool Each>
EZ_RKNN_INLINE int32x4_t estimate_4(const Unaligned<float> *from, const Factors &factors, size_t i) {
    const float32x4_t a = Each ? vld1q_f32(factors.estimate_a + i) : vdupq_n_f32(*factors.estimate_a);
    const float32x4_t b = Each ? vld1q_f32(factors.estimate_b + i) : vdupq_n_f32(*factors.estimate_b);
    const float32x4_t x = vreinterpretq_f32_u8(vld1q_u8(reinterpret_cast<const uint8_t *>(from)));
    return vcvtnq_s32_f32(vfmaq_f32(b, x, a));
}

/* The block's first element has the factors at `first`. All elements are beyond doubt if ties are far. */
template <bool Each, bool Signed>
EZ_RKNN_INLINE Tie estimate_block(const Unaligned<float> *from, void *to, const Factors &factors, size_t first) {
    const int32x4_t mask = vdupq_n_s32(fraction_mask);
    int32x4_t closest = mask;
    for (size_t i = 0; i < block_size; i += 16) {
        int32x4_t whole[4];
        for (size_t part = 0; part < 4; ++part) {
            const int32x4_t v = estimate_4<Each>(from + i + 4 * part, factors, first + i + 4 * part);
            closest = vminq_s32(closest, vandq_s32(v, mask));
            whole[part] = vshrq_n_s32(v, fraction_bits);
        }
        const int16x8_t low = vqmovn_high_s32(vqmovn_s32(whole[0]), whole[1]);
        const int16x8_t high = vqmovn_high_s32(vqmovn_s32(whole[2]), whole[3]);
        const uint8x16_t packed = Signed ? vreinterpretq_u8_s8(vqmovn_high_s16(vqmovn_s16(low), high))
                                         : vqmovun_high_s16(vqmovun_s16(low), high);
        vst1q_u8(static_cast<uint8_t *>(to) + i, packed);
    }
    const int32_t fraction = vminvq_s32(closest);
    if (fraction > static_cast<int32_t>(2 * factors.doubt)) return Tie::far;
    return fraction == 0 ? Tie::closest : Tie::close;
}

#else

/* The block's first element has the factors at `first`. All elements are beyond doubt if ties are far. Beyond `far` is
 * beyond every range, and beyond doubt. */
template <bool Each, bool Signed>
EZ_RKNN_INLINE Tie estimate_block(const Unaligned<float> *from, void *to, const Factors &factors, size_t first) {
    constexpr float far = 0x1p30F + (1 << (fraction_bits - 1));
    constexpr int32_t least = Signed ? INT8_MIN : 0, most = Signed ? INT8_MAX : UINT8_MAX;
    auto *__restrict bytes = static_cast<uint8_t *>(to);
    int32_t closest = fraction_mask;
    for (size_t i = 0; i < block_size; ++i) {
        float v = from[i] * factors.estimate_a[Each ? first + i : 0] + factors.estimate_b[Each ? first + i : 0];
        v = v != v ? 0.0F : v;
        v = v < far ? v : far;
        v = v > -far ? v : -far;
        const auto fixed = static_cast<int32_t>(v);
        const int32_t fraction = fixed & fraction_mask;
        closest = fraction < closest ? fraction : closest;
        int32_t whole = fixed >> fraction_bits;
        whole = whole < most ? whole : most;
        whole = whole > least ? whole : least;
        bytes[i] = static_cast<uint8_t>(whole);
    }
    if (closest > static_cast<int32_t>(2 * factors.doubt)) return Tie::far;
    return closest == 0 ? Tie::closest : Tie::close;
}

#endif

}  // namespace
}  // namespace ez_rknn::kernels
