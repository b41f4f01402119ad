/* The transposition of a matrix whose rows lie apart. */
#pragma once

#include <cstddef>

namespace ez_rknn::kernels {

/* dst[c][r] = src[r][c]. A row of src is src_stride elements after the one before (at least columns), one of dst
 * dst_stride (at least rows); what is between the rows of dst is left as it is. */
void transpose(const void *src, size_t src_stride, void *dst, size_t dst_stride, size_t rows, size_t columns,
               size_t element_size);

}  // namespace ez_rknn::kernels
