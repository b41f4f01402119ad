/* SPDX-License-Identifier: Apache-2.0 */
/* The conversion of a run of elements, for the instruction set that this is compiled for: each source file that
 * includes this is compiled for another one. */
#pragma once

#include "kernels/elements.h"
#include "kernels/estimate_block.h"
#include "kernels/rules.h"
#include "kernels/widen.h"

namespace ez_rknn::kernels {
namespace {

/* The number of elements in the buffer between source and destination: float32, or whole numbers of 32 bits. It stays
 * in the first-level cache. */
constexpr size_t chunk_size = 256;

EZ_RKNN_INLINE Range range_of(rknn_tensor_type type) {
    if (type == RKNN_TENSOR_INT8) return {INT8_MIN, INT8_MAX};
    if (type == RKNN_TENSOR_UINT8) return {0, UINT8_MAX};
    return {INT16_MIN, INT16_MAX};
}

/* Converts by the rule itself. */
void quantise_exactly(const Kinds &kinds, const Unaligned<float> *from, char *to, size_t count,
                      const Factors &factors) {
    int32_t quantised[chunk_size];
    const size_t to_size = kinds.to == RKNN_TENSOR_INT16 ? 2 : 1;
    for (size_t done = 0; done < count; done += chunk_size) {
        const size_t here = count - done < chunk_size ? count - done : chunk_size;
        quantise(kinds.rule, from + done, quantised, here, factors.after(done), range_of(kinds.to));
        narrow(quantised, kinds.to, to + done * to_size, here);
    }
}

bool has_nan(const Unaligned<float> *from, size_t count) {
    int32_t found = 0;
    for (size_t i = 0; i < count; ++i) found |= from[i] != from[i] ? 1 : 0;
    return found != 0;
}

/* Converts what estimates do not settle. Not inlined: the estimates' loops are faster without it. */
__attribute__((noinline)) void quantise_unestimated(const Kinds &kinds, const Unaligned<float> *from, char *to,
                                                    size_t count, const Factors &factors, Tie tie) {
    if (tie == Tie::closest && kinds.met_nan != nullptr && has_nan(from, count)) {
        __atomic_store_n(kinds.met_nan, 1, __ATOMIC_RELAXED);
    }
    quantise_exactly(kinds, from, to, count, factors);
}

/* Converts to 8 bits, by estimates. */
template <bool Each, bool Signed>
EZ_RKNN_INLINE void quantise_by_estimates(const Kinds &kinds, const Unaligned<float> *from, char *to, size_t count,
                                          const Factors &factors) {
    size_t i = 0;
    for (; i + block_size <= count; i += block_size) {
        const Tie tie = estimate_block<Each, Signed>(from + i, to + i, factors, i);
        if (__builtin_expect(tie != Tie::far, 0)) {
            quantise_unestimated(kinds, from + i, to + i, block_size, factors.after(i), tie);
        }
    }
    quantise_unestimated(kinds, from + i, to + i, count - i, factors.after(i), Tie::closest);
}

void quantise_floats(const Kinds &kinds, const Unaligned<float> *from, char *to, size_t count, const Factors &factors) {
    const bool is_signed = kinds.to == RKNN_TENSOR_INT8;
    if (factors.doubt == 0 || kinds.to == RKNN_TENSOR_INT16) {
        quantise_unestimated(kinds, from, to, count, factors, Tie::closest);
    } else if (factors.each) {
        is_signed ? quantise_by_estimates<true, true>(kinds, from, to, count, factors)
                  : quantise_by_estimates<true, false>(kinds, from, to, count, factors);
    } else {
        is_signed ? quantise_by_estimates<false, true>(kinds, from, to, count, factors)
                  : quantise_by_estimates<false, false>(kinds, from, to, count, factors);
    }
}

/* Converts any number of elements from float32. */
EZ_RKNN_INLINE void convert_floats(const Kinds &kinds, const Unaligned<float> *from, char *to, size_t count,
                                   const Factors &factors) {
    if (kinds.to == RKNN_TENSOR_FLOAT32) {
        scale_floats(kinds.rule, from, reinterpret_cast<Unaligned<float> *>(to), count, factors);
    } else {
        quantise_floats(kinds, from, to, count, factors);
    }
}

/* Converts quantised outputs without a buffer in between. */
template <typename Source>
EZ_RKNN_INLINE void dequantise(const void *from, void *to, size_t count, const Factors &factors) {
    apply<Dequantise, Source>(static_cast<const Unaligned<Source> *>(from), static_cast<Unaligned<float> *>(to), count,
                              factors);
}

/* Converts at most chunk_size elements. */
EZ_RKNN_INLINE void convert_chunk(const Kinds &kinds, const char *from, char *to, size_t count,
                                  const Factors &factors) {
    float widened[chunk_size];
    auto *numbers = reinterpret_cast<const Unaligned<float> *>(from);
    if (kinds.from != RKNN_TENSOR_FLOAT32) {
        widen(kinds.from, from, widened, count);
        numbers = widened;
    }
    if (kinds.to == RKNN_TENSOR_FLOAT16) {
        float scaled[chunk_size];
        scale_floats(kinds.rule, numbers, scaled, count, factors);
        narrow_to_half(scaled, to, count);
    } else {
        convert_floats(kinds, numbers, to, count, factors);
    }
}

EZ_RKNN_INLINE void convert_chunks(const Kinds &kinds, size_t from_size, size_t to_size, const void *from, void *to,
                                   size_t count, const Factors &factors) {
    const auto *source = static_cast<const char *>(from);
    auto *destination = static_cast<char *>(to);
    if (kinds.from == RKNN_TENSOR_FLOAT32 && kinds.to != RKNN_TENSOR_FLOAT16) {
        convert_floats(kinds, reinterpret_cast<const Unaligned<float> *>(source), destination, count, factors);
        return;
    }
    if (kinds.rule == EZR_RULE_DEQUANTISE && kinds.from == RKNN_TENSOR_INT8) {
        return dequantise<int8_t>(from, to, count, factors);
    }
    if (kinds.rule == EZR_RULE_DEQUANTISE && kinds.from == RKNN_TENSOR_UINT8) {
        return dequantise<uint8_t>(from, to, count, factors);
    }
    for (size_t done = 0; done < count; done += chunk_size) {
        const size_t left = count - done;
        convert_chunk(kinds, source + done * from_size, destination + done * to_size,
                      left < chunk_size ? left : chunk_size, factors.after(done));
    }
}

}  // namespace
}  // namespace ez_rknn::kernels
