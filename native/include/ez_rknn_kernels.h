/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels: convert between arrays and tensors in the NPU's memory.
 *
 * Like rknn_abi.h, this file is read by C, by C++ and by Python's cffi (between the marker lines).
 */
#ifndef EZ_RKNN_KERNELS_H
#define EZ_RKNN_KERNELS_H

#include <stddef.h>

#include "rknn_abi.h"

#ifdef __cplusplus
extern "C" {
#endif

/* cffi: begin */

/* The memory layout of an n x c x h x w tensor. A tensor that is no image is NCHW with all its elements in w, and n = c
 * = h = 1. */
typedef struct {
    rknn_tensor_type type;
    rknn_tensor_format format; /* RKNN_TENSOR_NCHW, _NHWC or _NC1HWC2 */
    uint32_t row;              /* NCHW and NHWC: pixels from one row to the next, at least w; 0: w */
    uint32_t c1;               /* NC1HWC2: blocks of channels */
    uint32_t c2;               /* NC1HWC2: channels in a block; c1 * c2 is at least c */
    uint32_t surface;          /* NC1HWC2: pixels from one block to the next, at least h * w; 0: h * w */
} ezr_layout;

/* The rule that converts an element x of channel k. a and b are ezr_conversion's, at index k (or 0 where channels is
 * 1). rne rounds to the nearest integer, ties to even; saturate brings into the range of the destination's type, and
 * makes NaN its largest value. */
#define EZR_RULE_COPY 0      /* x; both types are the same */
#define EZR_RULE_NORMALISE 1 /* (x - a) / b in float32, then rounded to the destination's type (ties to even) */
#define EZR_RULE_SCALE 2     /* saturate(rne(x * a) + b), the product exact: a is a float32's value, b a whole number */
#define EZR_RULE_AFFINE 3    /* saturate(rne(x * a + b)), as if computed in float64 */
#define EZR_RULE_DIVIDE 4    /* saturate(rne(x / a + b)), computed in float32 */
#define EZR_RULE_DEQUANTISE 5 /* (x - b) * a in float32 */

typedef struct {
    uint32_t n, c, h, w;
    ezr_layout from;
    ezr_layout to;
    uint32_t rule;     /* EZR_RULE_* */
    uint32_t channels; /* the number of a and of b: 1, or c */
    const double *a;   /* finite, as is b; NULL with EZR_RULE_COPY */
    const double *b;
    const int32_t *gap; /* for each channel, the value that fills the end of the destination's rows, in its type
                         * (integers take the low bytes); NULL: 0. Bytes between and after channels of NC1HWC2 are
                         * filled with 0. */
    uint32_t *met_nan;  /* set to 1, by any thread, when SCALE, AFFINE or DIVIDE meet a NaN; may be NULL */
} ezr_conversion;

/* Checks whether ezr_convert can do this: EZR_OK (0), or EZR_INVALID (-103) for a combination of types, layouts and
 * rule without a kernel, or for inconsistent numbers. */
int32_t ezr_check_conversion(const ezr_conversion *conversion);

/* Converts, if the conversion passes ezr_check_conversion; otherwise it touches nothing. from and to must not overlap
 * and need no alignment; all of `to` is written. Thread-safe. */
void ezr_convert(const ezr_conversion *conversion, const void *from, void *to);

/* The size in bytes of an n x c x h x w tensor in this layout, gaps included. */
size_t ezr_layout_bytes(uint32_t n, uint32_t c, uint32_t h, uint32_t w, const ezr_layout *layout);

/* Transposes `outer` matrices of `rows` x `columns` elements: dst[o][c][r] = src[o][r][c]. With rows = C and
 * columns = H*W this is NCHW to NHWC; with rows = H*W and columns = C it is NHWC to NCHW. src and dst are dense and
 * must not overlap, but need no alignment; element_size is 1, 2, 4 or 8 bytes. Returns EZR_OK or EZR_INVALID. */
int32_t ezr_transpose(const void *src, void *dst, size_t outer, size_t rows, size_t columns, uint32_t element_size);

/* cffi: end */

#ifdef __cplusplus
}
#endif

#endif
