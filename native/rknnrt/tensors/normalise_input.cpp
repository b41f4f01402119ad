/* SPDX-License-Identifier: Apache-2.0 */
#include "rknnrt/tensors/normalise_input.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>
#include <vector>

#include "rknnrt/base/half.h"
#include "rknnrt/base/status.h"
#include "rknnrt/tensors/elements.h"
#include "rknnrt/tensors/rounding.h"
#include "rknnrt/tensors/write_input.h"

namespace ez_rknn::rknnrt {

namespace {

/* The channel whose values apply: beyond the fourth the vendor's library uses the first channel's, as seen on a
 * board. */
size_t normalised_as(uint32_t channel) {
    return channel < 4 ? channel : 0;
}

/* Images: fixed point, as in the NPU's own converter, which the CPU imitates. */
template <typename Source>
void quantise_image(const TensorPort &port, const void *source, uint8_t *stored) {
    double factor[4];
    double offset[4];
    for (uint32_t channel = 0; channel < port.c; ++channel) {
        const PixelScaling scaling = pixel_scaling(port, channel);
        factor[channel] = scaling.factor();
        offset[channel] = scaling.offset;
    }
    const auto padding = static_cast<int8_t>(port.zero_point);
    write_image<Source, int8_t>(port, source, stored, padding, [&](Source value, uint32_t channel) {
        const double scaled = static_cast<double>(value_of(value)) * factor[channel];
        return saturate_to_int8(round_half_even(scaled) + offset[channel]);
    });
}

/* 4-D tensors of more channels: factor and offset are float32, the rest is exact; saturating. */
template <typename Source>
void quantise_channels(const TensorPort &port, const void *source, uint8_t *stored) {
    std::vector<double> factor(port.c);
    std::vector<double> offset(port.c);
    for (uint32_t channel = 0; channel < port.c; ++channel) {
        const float scaled = 1.0F / (deviation_of(port, channel) * port.scale);
        const float mean = mean_of(port, channel) * scaled;  // rounded: no multiply-add
        factor[channel] = scaled;
        offset[channel] = static_cast<float>(port.zero_point) - mean;
    }
    write_elements<Source, int8_t>(port, source, stored, 0, [&](Source value, uint32_t channel) {
        return saturate_to_int8(round_half_even(value_of(value) * factor[channel] + offset[channel]));
    });
}

/* Tensors that are not 4-D: the vendor's library does not saturate here, values out of range wrap around. */
template <typename Source>
void quantise_plain(const TensorPort &port, const void *source, uint8_t *stored) {
    write_elements<Source, int8_t>(port, source, stored, 0, [&](Source value, uint32_t) {
        const float scaled = static_cast<float>(value_of(value)) / port.scale + static_cast<float>(port.zero_point);
        return wrap_to_int8(round_half_even(scaled));
    });
}

template <typename Source>
void quantise_int8(const TensorPort &port, const void *source, uint8_t *stored) {
    if (port.storage == Storage::image) return quantise_image<Source>(port, source, stored);
    if (port.four_d()) return quantise_channels<Source>(port, source, stored);
    quantise_plain<Source>(port, source, stored);
}

/* Floating point inputs: normalised in float, then rounded to the model's type by `narrow`. */
template <typename Source, typename Element, typename Narrow>
void normalise(const TensorPort &port, const void *source, uint8_t *stored, Narrow narrow) {
    write_elements<Source, Element>(port, source, stored, Element{}, [&](Source value, uint32_t channel) {
        const auto number = static_cast<float>(value_of(value));
        return narrow((number - mean_of(port, channel)) / deviation_of(port, channel));
    });
}

/* Other integers (uint8, int16): the affine rule with the type's own range. Not recorded from a board. */
template <typename Source, typename Element>
void quantise_other(const TensorPort &port, const void *source, uint8_t *stored) {
    constexpr double least = std::numeric_limits<Element>::min();
    constexpr double most = std::numeric_limits<Element>::max();
    const auto padding = static_cast<Element>(port.zero_point);
    write_elements<Source, Element>(port, source, stored, padding, [&](Source value, uint32_t channel) {
        const double real = (value_of(value) - mean_of(port, channel)) / deviation_of(port, channel);
        const double scaled = round_half_even(real / port.scale + port.zero_point);
        return static_cast<Element>(std::isnan(scaled) ? most : std::clamp(scaled, least, most));
    });
}

/* Indices: whole numbers as they are, fractions cut off. */
template <typename Source, typename Element>
void truncate(const TensorPort &port, const void *source, uint8_t *stored) {
    write_elements<Source, Element>(port, source, stored, Element{}, [](Source value, uint32_t) {
        if constexpr (std::is_same_v<Source, int64_t>) {
            return static_cast<Element>(value);
        } else {
            return static_cast<Element>(truncate_to_int64(value_of(value)));
        }
    });
}

/* Normalises floats or pixels. */
template <typename Source>
void convert_number(const TensorPort &port, const void *source, uint8_t *stored) {
    switch (port.type) {
        case DataType::int8:
            return quantise_int8<Source>(port, source, stored);
        case DataType::float16:
            return normalise<Source, uint16_t>(port, source, stored, half_from_float);
        case DataType::bfloat16:
            return normalise<Source, uint16_t>(port, source, stored, bfloat16_from_float);
        case DataType::float32:
            return normalise<Source, float>(port, source, stored, [](float value) { return value; });
        case DataType::uint8:
            return quantise_other<Source, uint8_t>(port, source, stored);
        case DataType::int16:
            return quantise_other<Source, int16_t>(port, source, stored);
        case DataType::int32:
            return truncate<Source, int32_t>(port, source, stored);
        case DataType::boolean:
            return write_elements<Source, uint8_t>(port, source, stored, 0, [](Source value, uint32_t) {
                return static_cast<uint8_t>(value_of(value) != 0 ? 1 : 0);
            });
        case DataType::int64:
            return truncate<Source, int64_t>(port, source, stored);
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

}  // namespace

float mean_of(const TensorPort &port, uint32_t channel) {
    return port.normalisation.mean[normalised_as(channel)];
}

float deviation_of(const TensorPort &port, uint32_t channel) {
    return port.normalisation.deviation[normalised_as(channel)];
}

double PixelScaling::factor() const {
    return std::ldexp(static_cast<double>(multiplier), -shift);
}

PixelScaling pixel_scaling(const TensorPort &port, uint32_t channel) {
    // k = multiplier / 2^shift, with a multiplier of 15 bits.
    const double k = 1.0 / (static_cast<double>(deviation_of(port, channel)) * port.scale);
    int exponent = 0;
    std::frexp(k, &exponent);
    int shift = 15 - exponent;
    double multiplier = std::round(std::ldexp(k, shift));
    if (std::fabs(multiplier) > 32767) multiplier = std::round(std::ldexp(k, --shift));
    const double offset = round_half_even(port.zero_point - mean_of(port, channel) * k);
    return {static_cast<int32_t>(multiplier), shift,
            static_cast<int32_t>(std::clamp(offset, -2147483648.0, 2147483647.0))};
}

void normalise_input(const TensorPort &port, rknn_tensor_type source_type, const void *source, uint8_t *stored) {
    switch (source_type) {
        case RKNN_TENSOR_UINT8:
        case RKNN_TENSOR_BOOL:
            return convert_number<uint8_t>(port, source, stored);
        case RKNN_TENSOR_FLOAT16:
            return convert_number<Half>(port, source, stored);
        case RKNN_TENSOR_INT32:
            return convert_number<int32_t>(port, source, stored);
        case RKNN_TENSOR_INT64:
            return convert_number<int64_t>(port, source, stored);
        case RKNN_TENSOR_FLOAT32:
            return convert_number<float>(port, source, stored);
        case RKNN_TENSOR_INT8:  // is not normalised
        case RKNN_TENSOR_INT16:
        case RKNN_TENSOR_UINT16:
        case RKNN_TENSOR_UINT32:
        case RKNN_TENSOR_INT4:
        case RKNN_TENSOR_BFLOAT16:
        case RKNN_TENSOR_TYPE_MAX:
            break;
    }
    fail(RKNN_ERR_PARAM_INVALID, "elements of type ", static_cast<int>(source_type), " cannot be converted to input '",
         port.name, "'");
}

}  // namespace ez_rknn::rknnrt
