/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/layout.h"

namespace ez_rknn::kernels {

size_t element_size(rknn_tensor_type type) {
    switch (type) {
        case RKNN_TENSOR_INT8:
        case RKNN_TENSOR_UINT8:
        case RKNN_TENSOR_BOOL:
            return 1;
        case RKNN_TENSOR_FLOAT16:
        case RKNN_TENSOR_BFLOAT16:
        case RKNN_TENSOR_INT16:
        case RKNN_TENSOR_UINT16:
            return 2;
        case RKNN_TENSOR_FLOAT32:
        case RKNN_TENSOR_INT32:
        case RKNN_TENSOR_UINT32:
            return 4;
        case RKNN_TENSOR_INT64:
            return 8;
        case RKNN_TENSOR_INT4:
        case RKNN_TENSOR_TYPE_MAX:
            break;
    }
    return 0;
}

ElementLayout make_layout(uint32_t c, uint32_t h, uint32_t w, const ezr_layout &layout) {
    const size_t element = element_size(layout.type);
    const size_t pixels = size_t{h} * w;
    if (layout.format == RKNN_TENSOR_NC1HWC2) {
        return {element, layout.c2, layout.c1, w, layout.surface == 0 ? pixels : layout.surface};
    }
    const size_t row = layout.row == 0 ? w : layout.row;
    if (layout.format == RKNN_TENSOR_NHWC) return {element, c, 1, row, row * h};
    return {element, 1, c, row, row * h};
}

}  // namespace ez_rknn::kernels

extern "C" __attribute__((visibility("default"))) size_t ezr_layout_bytes(uint32_t n, uint32_t c, uint32_t h,
                                                                          uint32_t w, const ezr_layout *layout) {
    const ez_rknn::kernels::ElementLayout l = ez_rknn::kernels::make_layout(c, h, w, *layout);
    size_t bytes = 0;
    const bool overflows =
        __builtin_mul_overflow(l.groups, l.surface, &bytes) || __builtin_mul_overflow(bytes, l.group, &bytes) ||
        __builtin_mul_overflow(bytes, size_t{n}, &bytes) || __builtin_mul_overflow(bytes, l.element, &bytes);
    return overflows ? SIZE_MAX : bytes;
}
