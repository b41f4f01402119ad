/* SPDX-License-Identifier: Apache-2.0 */
/* The supported conversions. */
#include <cmath>

#include "ez_rknn_engine.h"
#include "kernels/layout.h"

namespace ez_rknn::kernels {
namespace {

bool is_number(rknn_tensor_type type) {
    return type == RKNN_TENSOR_FLOAT32 || type == RKNN_TENSOR_FLOAT16 || type == RKNN_TENSOR_UINT8 ||
           type == RKNN_TENSOR_INT8;
}

bool is_quantised(rknn_tensor_type type) {
    return type == RKNN_TENSOR_INT8 || type == RKNN_TENSOR_UINT8 || type == RKNN_TENSOR_INT16;
}

bool is_integer(rknn_tensor_type type) {
    return is_quantised(type) || type == RKNN_TENSOR_UINT16 || type == RKNN_TENSOR_INT32 ||
           type == RKNN_TENSOR_UINT32 || type == RKNN_TENSOR_INT64 || type == RKNN_TENSOR_BOOL;
}

bool has_kernel(uint32_t rule, rknn_tensor_type from, rknn_tensor_type to) {
    switch (rule) {
        case EZR_RULE_COPY:
            return from == to && element_size(from) != 0;
        case EZR_RULE_NORMALISE:
            return is_number(from) && (to == RKNN_TENSOR_FLOAT32 || to == RKNN_TENSOR_FLOAT16);
        case EZR_RULE_SCALE:
        case EZR_RULE_AFFINE:
        case EZR_RULE_DIVIDE:
            return is_number(from) && is_quantised(to);
        case EZR_RULE_DEQUANTISE:
            return is_integer(from) && to == RKNN_TENSOR_FLOAT32;
        default:
            return false;
    }
}

bool is_addressable(const ezr_conversion &conversion, const ezr_layout &layout) {
    return ezr_layout_bytes(conversion.n, conversion.c, conversion.h, conversion.w, &layout) <= PTRDIFF_MAX;
}

bool is_layout(const ezr_conversion &conversion, const ezr_layout &layout) {
    switch (layout.format) {
        case RKNN_TENSOR_NCHW:
        case RKNN_TENSOR_NHWC:
            return (layout.row == 0 || layout.row >= conversion.w) && is_addressable(conversion, layout);
        case RKNN_TENSOR_NC1HWC2:
            return layout.c2 > 0 && uint64_t{layout.c1} * layout.c2 >= conversion.c &&
                   (layout.surface == 0 || layout.surface >= uint64_t{conversion.h} * conversion.w) &&
                   is_addressable(conversion, layout);
        case RKNN_TENSOR_UNDEFINED:
        case RKNN_TENSOR_FORMAT_MAX:
            break;
    }
    return false;
}

/* Checks that the factors are finite: others have no use, and so no meaning. */
bool has_factors(const ezr_conversion &conversion) {
    if (conversion.rule == EZR_RULE_COPY) return true;
    if (conversion.channels != 1 && conversion.channels != conversion.c) return false;
    if (conversion.a == nullptr || conversion.b == nullptr) return false;
    for (uint32_t k = 0; k < conversion.channels; ++k) {
        const double a = conversion.a[k], b = conversion.b[k];
        if (!std::isfinite(a) || !std::isfinite(b)) return false;
        // Only the product of two floats is certain to be exact in double, whatever x is.
        if (conversion.rule == EZR_RULE_SCALE &&
            (static_cast<double>(static_cast<float>(a)) != a || b != std::trunc(b)))
            return false;
    }
    return true;
}

}  // namespace
}  // namespace ez_rknn::kernels

extern "C" __attribute__((visibility("default"))) int32_t ezr_check_conversion(const ezr_conversion *conversion) {
    if (conversion == nullptr) return EZR_INVALID;
    const bool is_possible =
        ez_rknn::kernels::has_kernel(conversion->rule, conversion->from.type, conversion->to.type) &&
        ez_rknn::kernels::is_layout(*conversion, conversion->from) &&
        ez_rknn::kernels::is_layout(*conversion, conversion->to) && ez_rknn::kernels::has_factors(*conversion);
    return is_possible ? EZR_OK : EZR_INVALID;
}
