/* SPDX-License-Identifier: Apache-2.0 */
/* The loop of byte_halves.h, for the instruction set that this is compiled for. */
#pragma once

#include "common/inline.h"
#include "kernels/byte_halves.h"
#include "kernels/half.h"

#if defined(__F16C__) && defined(__AVX2__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace ez_rknn::kernels {
namespace {

template <bool Divides>
EZ_RKNN_INLINE void halve_portably(const uint8_t *from, Unaligned<uint16_t> *to, size_t count, const float *mean,
                                   const float *deviation) {
    for (size_t i = 0; i < count; ++i) {
        const float centred = static_cast<float>(from[i]) - mean[i];
        to[i] = half_from_float(Divides ? centred / deviation[i] : centred * deviation[i]);
    }
}

#if defined(__F16C__) && defined(__AVX2__)

template <bool Divides>
EZ_RKNN_INLINE void halve_8(const uint8_t *from, Unaligned<uint16_t> *to, const float *mean, const float *deviation) {
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i *>(from));
    const __m256 x = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes));
    const __m256 centred = _mm256_sub_ps(x, _mm256_loadu_ps(mean)), factor = _mm256_loadu_ps(deviation);
    const __m256 scaled = Divides ? _mm256_div_ps(centred, factor) : _mm256_mul_ps(centred, factor);
    _mm_storeu_si128(reinterpret_cast<__m128i *>(to), _mm256_cvtps_ph(scaled, _MM_FROUND_TO_NEAREST_INT));
}

#elif defined(__aarch64__)

template <bool Divides>
EZ_RKNN_INLINE float16x4_t halve_4(uint16x4_t whole, const float *mean, const float *deviation) {
    const float32x4_t centred = vsubq_f32(vcvtq_f32_u32(vmovl_u16(whole)), vld1q_f32(mean));
    const float32x4_t factor = vld1q_f32(deviation);
    return vcvt_f16_f32(Divides ? vdivq_f32(centred, factor) : vmulq_f32(centred, factor));
}

template <bool Divides>
EZ_RKNN_INLINE void halve_8(const uint8_t *from, Unaligned<uint16_t> *to, const float *mean, const float *deviation) {
    const uint16x8_t whole = vmovl_u8(vld1_u8(from));
    const float16x8_t halves = vcombine_f16(halve_4<Divides>(vget_low_u16(whole), mean, deviation),
                                            halve_4<Divides>(vget_high_u16(whole), mean + 4, deviation + 4));
    vst1q_u8(reinterpret_cast<uint8_t *>(to), vreinterpretq_u8_f16(halves));
}

#else

template <bool Divides>
EZ_RKNN_INLINE void halve_8(const uint8_t *from, Unaligned<uint16_t> *to, const float *mean, const float *deviation) {
    halve_portably<Divides>(from, to, 8, mean, deviation);
}

#endif

template <bool Divides>
EZ_RKNN_INLINE void halve_periods(const HalfLine &line, const uint8_t *from, Unaligned<uint16_t> *to, size_t count) {
    for (size_t done = 0; done < count; done += line.period) {
        const size_t here = count - done < line.period ? count - done : line.period;
        size_t i = 0;
        for (; i + 8 <= here; i += 8) {
            halve_8<Divides>(from + done + i, to + done + i, line.mean + i, line.deviation + i);
        }
        halve_portably<Divides>(from + done + i, to + done + i, here - i, line.mean + i, line.deviation + i);
    }
}

EZ_RKNN_INLINE void halve_all(const HalfLine &numbers, const uint8_t *from, void *to, size_t count) {
    const HalfLine line = numbers;  // a copy, which the writes cannot alias
    auto *halves = static_cast<Unaligned<uint16_t> *>(to);
    line.divides ? halve_periods<true>(line, from, halves, count) : halve_periods<false>(line, from, halves, count);
}

}  // namespace
}  // namespace ez_rknn::kernels
