/* The enumerations of a .rknn file.
 *
 * A file's number becomes one of these by *_of(), and by nothing else: a number without a name is `unknown`, so that
 * every switch has a case for each value there can be. No switch over them has a default. */
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

/* How a tensor's bytes are arranged. */
enum class Layout : uint8_t { plain = 0, nhwc = 1, nchw = 2, nc1hwc2 = 64, packed_weight = 65, unknown = 255 };

/* What a tensor is for. */
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

/* Bits that one element takes; 0 for types whose elements have no fixed size. */
uint32_t bits_of(DataType type);

/* Whether the interface can convert it: what no input, output or operand of a custom operator may have is refused
 * when the file is read. */
bool is_convertible(DataType type);

/* Whether elements of the type stand for real numbers, by scale and zero point. */
constexpr bool is_quantised_type(DataType type) {
    return type == DataType::int8 || type == DataType::uint8 || type == DataType::int16;
}

/* Surfaces that the NPU writes begin at multiples of so many pixels. */
constexpr uint64_t surface_alignment = 4;

}  // namespace ez_rknn::rknnrt
