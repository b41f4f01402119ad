/* SPDX-License-Identifier: Apache-2.0 */
/* The enumerations of a .rknn file.
 *
 * A file's number becomes one of these only by *_of(): a number without a name is `unknown`, so every switch has a case
 * for each possible value. No switch over them has a default. */
#pragma once

#include <cstdint>

namespace ez_rknn::rknnrt {

/* Element types, numbered as ONNX does. */
enum class DataType : uint8_t {
    opaque = 0, /* compressed by the compiler */
    float32 = 1,
    uint8 = 2,
    int8 = 3,
    uint16 = 4,
    int16 = 5,
    int32 = 6,
    int64 = 7,
    boolean = 9,
    float16 = 10,
    float64 = 11,
    uint32 = 12,
    uint64 = 13,
    bfloat16 = 16,
    int4 = 64,
    unknown = 255,
};

/* The arrangement of a tensor's bytes. */
enum class Layout : uint8_t { plain = 0, nhwc = 1, nchw = 2, nc1hwc2 = 64, packed_weight = 65, unknown = 255 };

/* The purpose of a tensor. */
enum class TensorKind : uint8_t {
    dummy = 0,
    input = 1,
    output = 2,
    intermediate = 3,
    weight = 4,
    constant = 5,
    lookup_table = 6,
    helper = 8, /* the compiler's own */
    commands = 9,
    tasks = 10,
    unknown = 255,
};

DataType data_type_of(uint8_t number);
Layout layout_of(uint8_t number);
TensorKind tensor_kind_of(uint8_t number);

/* The size of an element in bits; 0 for types without a fixed element size. */
uint32_t bits_of(DataType type);

/* True if the interface can convert it. The file reader refuses inputs, outputs and custom operators' operands of other
 * types. */
bool is_convertible(DataType type);

/* True if elements of the type represent real numbers, by scale and zero point. */
constexpr bool is_quantised_type(DataType type) {
    return type == DataType::int8 || type == DataType::uint8 || type == DataType::int16;
}

/* The alignment, in pixels, of the surfaces that the NPU writes. */
constexpr uint64_t surface_alignment = 4;

}  // namespace ez_rknn::rknnrt
