/* SPDX-License-Identifier: Apache-2.0 */
#include "rknnrt/tensors/convert_output.h"

#include <cmath>
#include <cstring>

#include "rknnrt/base/half.h"
#include "rknnrt/tensors/elements.h"

namespace ez_rknn::rknnrt {

namespace {

template <typename Source, typename Convert>
void write_floats(const uint8_t *source, size_t count, void *destination, Convert convert) {
    auto *to = static_cast<uint8_t *>(destination);
    for (size_t i = 0; i < count; ++i) put<float>(to, i, convert(element<Source>(source, i)));
}

template <typename Source>
void dequantise(const TensorPort &port, const uint8_t *source, void *destination) {
    write_floats<Source>(source, port.total_elements(), destination, [&](Source value) {
        return static_cast<float>(static_cast<int32_t>(value) - port.zero_point) * port.scale;
    });
}

template <typename Source>
void widen(const TensorPort &port, const uint8_t *source, void *destination) {
    write_floats<Source>(source, port.total_elements(), destination,
                         [](Source value) { return static_cast<float>(value_of(value)); });
}

}  // namespace

size_t output_bytes(const TensorPort &port, bool want_float) {
    return static_cast<size_t>(port.total_elements()) * (want_float ? sizeof(float) : port.element_size);
}

void convert_output(const TensorPort &port, bool want_float, const uint8_t *source, void *destination) {
    if (!want_float || port.type == DataType::float32) {
        std::memcpy(destination, source, output_bytes(port, want_float));
        return;
    }
    switch (port.type) {
        case DataType::int8:
            return dequantise<int8_t>(port, source, destination);
        case DataType::uint8:
            return dequantise<uint8_t>(port, source, destination);
        case DataType::int16:
            return dequantise<int16_t>(port, source, destination);
        case DataType::float16:
            return widen<Half>(port, source, destination);
        case DataType::bfloat16:
            return write_floats<uint16_t>(source, port.total_elements(), destination, float_from_bfloat16);
        case DataType::int32:
            return widen<int32_t>(port, source, destination);
        case DataType::int64:
            return widen<int64_t>(port, source, destination);
        case DataType::boolean:
            return widen<uint8_t>(port, source, destination);
        case DataType::float32:  // copied above
        case DataType::opaque:
        case DataType::uint16:
        case DataType::float64:
        case DataType::uint32:
        case DataType::uint64:
        case DataType::int4:
        case DataType::unknown:
            break;
    }
    fail_as_unconvertible(port);
}

void fill_with_zero(const TensorPort &port, size_t elements, uint8_t *destination) {
    if (port.zero_point == 0) {
        std::memset(destination, 0, elements * port.element_size);
    } else if (port.element_size == 1) {
        std::memset(destination, port.zero_point, elements);
    } else if (port.element_size == sizeof(int16_t)) {
        const auto value = static_cast<int16_t>(port.zero_point);
        for (size_t i = 0; i < elements; ++i) put(destination, i, value);
    } else {
        fail_as_unconvertible(port);
    }
}

}  // namespace ez_rknn::rknnrt
