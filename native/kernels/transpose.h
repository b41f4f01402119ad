/* SPDX-License-Identifier: Apache-2.0 */
/* The transposition of a matrix with strided rows. */
#pragma once

#include <cstddef>

namespace ez_rknn::kernels {

/* dst[c][r] = src[r][c]. A row of src is src_stride elements after the one before (at least columns), one of dst
 * dst_stride (at least rows); bytes between the rows of dst are left as they are. */
void transpose(const void *src, size_t src_stride, void *dst, size_t dst_stride, size_t rows, size_t columns,
               size_t element_size);

}  // namespace ez_rknn::kernels
