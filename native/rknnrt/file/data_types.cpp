/* SPDX-License-Identifier: Apache-2.0 */
#include "rknnrt/file/data_types.h"

namespace ez_rknn::rknnrt {

DataType data_type_of(uint8_t number) {
    const auto type = static_cast<DataType>(number);
    switch (type) {
        case DataType::opaque:
        case DataType::float32:
        case DataType::uint8:
        case DataType::int8:
        case DataType::uint16:
        case DataType::int16:
        case DataType::int32:
        case DataType::int64:
        case DataType::boolean:
        case DataType::float16:
        case DataType::float64:
        case DataType::uint32:
        case DataType::uint64:
        case DataType::bfloat16:
        case DataType::int4:
        case DataType::unknown:
            return type;
    }
    return DataType::unknown;
}

Layout layout_of(uint8_t number) {
    const auto layout = static_cast<Layout>(number);
    switch (layout) {
        case Layout::plain:
        case Layout::nhwc:
        case Layout::nchw:
        case Layout::nc1hwc2:
        case Layout::packed_weight:
        case Layout::unknown:
            return layout;
    }
    return Layout::unknown;
}

TensorKind tensor_kind_of(uint8_t number) {
    const auto kind = static_cast<TensorKind>(number);
    switch (kind) {
        case TensorKind::dummy:
        case TensorKind::input:
        case TensorKind::output:
        case TensorKind::intermediate:
        case TensorKind::weight:
        case TensorKind::constant:
        case TensorKind::lookup_table:
        case TensorKind::helper:
        case TensorKind::commands:
        case TensorKind::tasks:
        case TensorKind::unknown:
            return kind;
    }
    return TensorKind::unknown;
}

uint32_t bits_of(DataType type) {
    switch (type) {
        case DataType::int4:
            return 4;
        case DataType::uint8:
        case DataType::int8:
        case DataType::boolean:
            return 8;
        case DataType::uint16:
        case DataType::int16:
        case DataType::float16:
        case DataType::bfloat16:
            return 16;
        case DataType::float32:
        case DataType::int32:
        case DataType::uint32:
            return 32;
        case DataType::int64:
        case DataType::uint64:
        case DataType::float64:
            return 64;
        case DataType::opaque:
        case DataType::unknown:
            break;
    }
    return 0;
}

bool is_convertible(DataType type) {
    switch (type) {
        case DataType::float32:
        case DataType::uint8:
        case DataType::int8:
        case DataType::int16:
        case DataType::int32:
        case DataType::int64:
        case DataType::boolean:
        case DataType::float16:
        case DataType::bfloat16:
            return true;
        case DataType::opaque:
        case DataType::uint16:
        case DataType::float64:
        case DataType::uint32:
        case DataType::uint64:
        case DataType::int4:
        case DataType::unknown:
            break;
    }
    return false;
}

}  // namespace ez_rknn::rknnrt
