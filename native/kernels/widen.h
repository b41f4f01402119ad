/* SPDX-License-Identifier: Apache-2.0 */
/* The ends of a conversion: elements of any type to float32, and results to their type. */
#pragma once

#include <cstring>

#include "kernels/elements.h"
#include "kernels/half.h"
#include "kernels/reals.h"

#if defined(__F16C__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace ez_rknn::kernels {
namespace {

template <typename Source>
EZ_RKNN_INLINE void widen_all(const void *from, float *__restrict to, size_t count) {
    const auto *source = static_cast<const Unaligned<Source> *>(from);
    for (size_t i = 0; i < count; ++i) to[i] = static_cast<float>(source[i]);
}

EZ_RKNN_INLINE void widen_halves(const void *from, float *__restrict to, size_t count) {
    const auto *halves = static_cast<const Unaligned<uint16_t> *>(from);
    size_t i = 0;
    for (; i + reals_at_once <= count; i += reals_at_once) {
        const Reals reals = widened<uint16_t>(halves + i);
        std::memcpy(to + i, &reals, sizeof reals);
    }
    for (; i < count; ++i) to[i] = float_from_half(halves[i]);
}

EZ_RKNN_INLINE void widen(rknn_tensor_type type, const void *from, float *to, size_t count) {
    switch (type) {
        case RKNN_TENSOR_FLOAT16:
            return widen_halves(from, to, count);
        case RKNN_TENSOR_INT8:
            return widen_all<int8_t>(from, to, count);
        case RKNN_TENSOR_UINT8:
        case RKNN_TENSOR_BOOL:
            return widen_all<uint8_t>(from, to, count);
        case RKNN_TENSOR_INT16:
            return widen_all<int16_t>(from, to, count);
        case RKNN_TENSOR_UINT16:
            return widen_all<uint16_t>(from, to, count);
        case RKNN_TENSOR_INT32:
            return widen_all<int32_t>(from, to, count);
        case RKNN_TENSOR_UINT32:
            return widen_all<uint32_t>(from, to, count);
        case RKNN_TENSOR_INT64:
            return widen_all<int64_t>(from, to, count);
        case RKNN_TENSOR_FLOAT32:  // is wide already
        case RKNN_TENSOR_INT4:     // these have no kernel (check_conversion.cpp)
        case RKNN_TENSOR_BFLOAT16:
        case RKNN_TENSOR_TYPE_MAX:
            return;
    }
}

EZ_RKNN_INLINE void narrow_to_half(const float *from, void *to, size_t count) {
    auto *halves = static_cast<Unaligned<uint16_t> *>(to);
    size_t i = 0;
#if defined(__F16C__)
    for (; i + 8 <= count; i += 8) {
        const __m128i eight = _mm256_cvtps_ph(_mm256_loadu_ps(from + i), _MM_FROUND_TO_NEAREST_INT);
        _mm_storeu_si128(reinterpret_cast<__m128i *>(halves + i), eight);
    }
#elif defined(__aarch64__)
    for (; i + 4 <= count; i += 4) {
        const uint8x8_t four = vreinterpret_u8_f16(vcvt_f16_f32(vld1q_f32(from + i)));
        vst1_u8(reinterpret_cast<uint8_t *>(halves + i), four);
    }
#endif
    for (; i < count; ++i) halves[i] = half_from_float(from[i]);
}

template <typename Element>
EZ_RKNN_INLINE void narrow_all(const int32_t *from, void *to, size_t count) {
    auto *elements = static_cast<Unaligned<Element> *>(to);
    for (size_t i = 0; i < count; ++i) elements[i] = static_cast<Element>(from[i]);
}

/* Narrows whole numbers to int8, uint8 or int16, in whose range they are. */
EZ_RKNN_INLINE void narrow(const int32_t *from, rknn_tensor_type type, void *to, size_t count) {
    switch (type) {
        case RKNN_TENSOR_INT8:
            return narrow_all<int8_t>(from, to, count);
        case RKNN_TENSOR_UINT8:
            return narrow_all<uint8_t>(from, to, count);
        case RKNN_TENSOR_INT16:
            return narrow_all<int16_t>(from, to, count);
        case RKNN_TENSOR_FLOAT32:  // are not made of whole numbers
        case RKNN_TENSOR_FLOAT16:
        case RKNN_TENSOR_UINT16:  // these have no kernel (check_conversion.cpp)
        case RKNN_TENSOR_INT32:
        case RKNN_TENSOR_UINT32:
        case RKNN_TENSOR_INT64:
        case RKNN_TENSOR_BOOL:
        case RKNN_TENSOR_INT4:
        case RKNN_TENSOR_BFLOAT16:
        case RKNN_TENSOR_TYPE_MAX:
            return;
    }
}

}  // namespace
}  // namespace ez_rknn::kernels
