/* What happens to elements that lie side by side. */
#ifndef EZ_RKNN_ELEMENTS_H
#define EZ_RKNN_ELEMENTS_H

#include <cstddef>
#include <cstdint>

#include "ez_rknn_kernels.h"

namespace ezr {

/* The host's buffers may start anywhere and hold anything. */
template <typename Element>
using Unaligned __attribute__((aligned(1), may_alias)) = Element;

/* The factors of a run of elements: the same for all, or one for each. */
struct Factors {
    const double *a;
    const double *b;
    bool each;
};

/* Converts `count` elements from one type to another; not for EZR_RULE_COPY. Every source type but the 32-bit and
 * 64-bit integers is exact in float32, which therefore all rules start from. */
void convert_elements(uint32_t rule, rknn_tensor_type from_type, const void *from, rknn_tensor_type to_type, void *to,
                      size_t count, const Factors &factors);

/* The stages of it, for at most kStage elements. */
constexpr size_t kStage = 256;

/* Any type to float32. */
void widen(rknn_tensor_type type, const void *from, float *to, size_t count);

/* The rules SCALE, AFFINE and DIVIDE: to whole numbers between least and most. */
struct Range {
    int32_t least;
    int32_t most;
};
void quantise(uint32_t rule, const Unaligned<float> *from, int32_t *to, size_t count, const Factors &factors,
              const Range &range);

/* The rules NORMALISE and DEQUANTISE. */
void scale_floats(uint32_t rule, const Unaligned<float> *from, Unaligned<float> *to, size_t count,
                  const Factors &factors);

/* Whole numbers to int8, uint8 or int16, in whose range they are. */
Range range_of(rknn_tensor_type type);
void narrow(const int32_t *from, rknn_tensor_type type, void *to, size_t count);

/* float32 to float16. */
void narrow_to_half(const float *from, void *to, size_t count);

}  // namespace ezr

#endif
