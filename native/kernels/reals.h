/* SPDX-License-Identifier: Apache-2.0 */
/* A few floats in one register. Compilers vectorise their arithmetic everywhere, but convert to them one element at a
 * time: so the conversions are written for each instruction set. */
#pragma once

#include <cstring>

#include "common/inline.h"
#include "kernels/elements.h"
#include "kernels/half.h"

#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace ez_rknn::kernels {
namespace {

#if defined(__AVX2__)
constexpr size_t reals_at_once = 8;
#else
constexpr size_t reals_at_once = 4;
#endif

typedef float Reals __attribute__((vector_size(reals_at_once * sizeof(float))));

/* Loads the next elements, of any alignment; those of two bytes are float16. */
template <typename Element>
EZ_RKNN_INLINE Reals widened(const Element *from) {
    const auto *elements = reinterpret_cast<const Unaligned<Element> *>(from);
    Reals reals = {};
    for (size_t i = 0; i < reals_at_once; ++i) {
        reals[i] = sizeof(Element) == 2 ? float_from_half(static_cast<uint16_t>(elements[i]))
                                        : static_cast<float>(elements[i]);
    }
    return reals;
}

#if defined(__AVX2__)

template <>
EZ_RKNN_INLINE Reals widened(const int8_t *from) {
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i *>(from));
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes));
}

template <>
EZ_RKNN_INLINE Reals widened(const uint8_t *from) {
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i *>(from));
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes));
}

template <>
EZ_RKNN_INLINE Reals widened(const uint16_t *from) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i *>(from)));
}

#elif defined(__aarch64__)

EZ_RKNN_INLINE uint8x8_t four_bytes(const void *from) {
    uint32_t bytes;
    std::memcpy(&bytes, from, sizeof bytes);
    return vreinterpret_u8_u32(vdup_n_u32(bytes));
}

template <>
EZ_RKNN_INLINE Reals widened(const int8_t *from) {
    return vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_s8(vreinterpret_s8_u8(four_bytes(from))))));
}

template <>
EZ_RKNN_INLINE Reals widened(const uint8_t *from) {
    return vcvtq_f32_u32(vmovl_u16(vget_low_u16(vmovl_u8(four_bytes(from)))));
}

template <>
EZ_RKNN_INLINE Reals widened(const uint16_t *from) {
    return vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(reinterpret_cast<const uint8_t *>(from))));
}

#endif

}  // namespace
}  // namespace ez_rknn::kernels
