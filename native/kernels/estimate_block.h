/* One block of estimates (see estimate.h), for the instruction set that this is compiled for. */
#ifndef EZ_RKNN_ESTIMATE_BLOCK_H
#define EZ_RKNN_ESTIMATE_BLOCK_H

#include "estimate.h"

#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace ezr {
namespace {

constexpr size_t kBlock = 64;
constexpr int32_t kFractionMask = (1 << kFraction) - 1;

#if defined(__AVX2__)

/* v of eight elements, whose factors are those from i on. What is not finite or does not fit becomes INT32_MIN, whose
 * fraction is 0: doubtful. */
template <bool Each>
EZR_INLINE __m256i estimate_8(const Unaligned<float> *from, const Factors &factors, size_t i) {
    const __m256 a = Each ? _mm256_loadu_ps(factors.estimate_a + i) : _mm256_set1_ps(*factors.estimate_a);
    const __m256 b = Each ? _mm256_loadu_ps(factors.estimate_b + i) : _mm256_set1_ps(*factors.estimate_b);
    const __m256 x = _mm256_loadu_ps(reinterpret_cast<const float *>(from));
    return _mm256_cvtps_epi32(_mm256_fmadd_ps(x, a, b));
}

/* The block's first element has the factors at `first`. Returns whether all elements are beyond doubt. */
template <bool Each, bool Signed>
EZR_INLINE bool estimate_block(const Unaligned<float> *from, void *to, const Factors &factors, size_t first) {
    const __m256i mask = _mm256_set1_epi32(kFractionMask);
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    __m256i closest = mask;
    for (size_t i = 0; i < kBlock; i += 32) {
        __m256i whole[4];
        for (size_t part = 0; part < 4; ++part) {
            const __m256i v = estimate_8<Each>(from + i + 8 * part, factors, first + i + 8 * part);
            closest = _mm256_min_epi32(closest, _mm256_and_si256(v, mask));
            whole[part] = _mm256_srai_epi32(v, kFraction);
        }
        const __m256i low = _mm256_packs_epi32(whole[0], whole[1]), high = _mm256_packs_epi32(whole[2], whole[3]);
        const __m256i packed = Signed ? _mm256_packs_epi16(low, high) : _mm256_packus_epi16(low, high);
        // The packing instructions work on each half of a register by itself.
        _mm256_storeu_si256(reinterpret_cast<__m256i *>(static_cast<char *>(to) + i),
                            _mm256_permutevar8x32_epi32(packed, order));
    }
    const __m256i limit = _mm256_set1_epi32(static_cast<int>(2 * factors.doubt));
    return _mm256_movemask_epi8(_mm256_cmpgt_epi32(closest, limit)) == -1;
}

#elif defined(__aarch64__)

/* v of four elements, whose factors are those from i on. What does not fit saturates, as it must; NaN becomes 0, which
 * is doubtful. */
template <bool Each>
EZR_INLINE int32x4_t estimate_4(const Unaligned<float> *from, const Factors &factors, size_t i) {
    const float32x4_t a = Each ? vld1q_f32(factors.estimate_a + i) : vdupq_n_f32(*factors.estimate_a);
    const float32x4_t b = Each ? vld1q_f32(factors.estimate_b + i) : vdupq_n_f32(*factors.estimate_b);
    const float32x4_t x = vreinterpretq_f32_u8(vld1q_u8(reinterpret_cast<const uint8_t *>(from)));
    return vcvtnq_s32_f32(vfmaq_f32(b, x, a));
}

/* The block's first element has the factors at `first`. Returns whether all elements are beyond doubt. */
template <bool Each, bool Signed>
EZR_INLINE bool estimate_block(const Unaligned<float> *from, void *to, const Factors &factors, size_t first) {
    const int32x4_t mask = vdupq_n_s32(kFractionMask);
    int32x4_t closest = mask;
    for (size_t i = 0; i < kBlock; i += 16) {
        int32x4_t whole[4];
        for (size_t part = 0; part < 4; ++part) {
            const int32x4_t v = estimate_4<Each>(from + i + 4 * part, factors, first + i + 4 * part);
            closest = vminq_s32(closest, vandq_s32(v, mask));
            whole[part] = vshrq_n_s32(v, kFraction);
        }
        const int16x8_t low = vqmovn_high_s32(vqmovn_s32(whole[0]), whole[1]);
        const int16x8_t high = vqmovn_high_s32(vqmovn_s32(whole[2]), whole[3]);
        const uint8x16_t packed = Signed ? vreinterpretq_u8_s8(vqmovn_high_s16(vqmovn_s16(low), high))
                                         : vqmovun_high_s16(vqmovun_s16(low), high);
        vst1q_u8(static_cast<uint8_t *>(to) + i, packed);
    }
    return vminvq_s32(closest) > static_cast<int32_t>(2 * factors.doubt);
}

#else

/* The block's first element has the factors at `first`. Returns whether all elements are beyond doubt. Beyond `kFar` is
 * beyond every range, and beyond doubt: NaN is the largest number. */
template <bool Each, bool Signed>
EZR_INLINE bool estimate_block(const Unaligned<float> *from, void *to, const Factors &factors, size_t first) {
    constexpr float kFar = 0x1p30F + (1 << (kFraction - 1));
    constexpr int32_t kLeast = Signed ? INT8_MIN : 0, kMost = Signed ? INT8_MAX : UINT8_MAX;
    const auto limit = static_cast<int32_t>(2 * factors.doubt);
    auto *__restrict bytes = static_cast<uint8_t *>(to);
    int32_t doubtful = 0;
    for (size_t i = 0; i < kBlock; ++i) {
        float v = from[i] * factors.estimate_a[Each ? first + i : 0] + factors.estimate_b[Each ? first + i : 0];
        v = v < kFar ? v : kFar;
        v = v > -kFar ? v : -kFar;
        const auto fixed = static_cast<int32_t>(v);
        doubtful |= (fixed & kFractionMask) <= limit ? 1 : 0;
        int32_t whole = fixed >> kFraction;
        whole = whole < kMost ? whole : kMost;
        whole = whole > kLeast ? whole : kLeast;
        bytes[i] = static_cast<uint8_t>(whole);
    }
    return doubtful == 0;
}

#endif

}  // namespace
}  // namespace ezr

#endif
