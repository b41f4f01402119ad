/* Elements of any type to float32 and float32 to float16, with which conversions begin and end. */
#include "elements.h"
#include "half.h"

namespace ezr {
namespace {

template <typename Source>
void widen_all(const void *from, float *__restrict to, size_t count) {
    const auto *source = static_cast<const Unaligned<Source> *>(from);
    for (size_t i = 0; i < count; ++i) to[i] = static_cast<float>(source[i]);
}

void widen_halves(const void *from, float *__restrict to, size_t count) {
    const auto *source = static_cast<const Unaligned<uint16_t> *>(from);
    for (size_t i = 0; i < count; ++i) to[i] = float_from_half(source[i]);
}

}  // namespace

void widen(rknn_tensor_type type, const void *from, float *to, size_t count) {
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
        default:
            return widen_all<int64_t>(from, to, count);
    }
}

void narrow_to_half(const float *from, void *to, size_t count) {
    auto *halves = static_cast<Unaligned<uint16_t> *>(to);
    for (size_t i = 0; i < count; ++i) halves[i] = half_from_float(from[i]);
}

}  // namespace ezr
