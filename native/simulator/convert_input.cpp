#include "convert_input.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "half.h"
#include "log.h"
#include "rounding.h"
#include "status.h"

namespace ez_rknn::simulator {

namespace {

struct Half {
    uint16_t bits;
};

inline float value_of(Half half) {
    return float_from_half(half.bits);
}
template <typename Number>
inline Number value_of(Number number) {
    return number;
}

/* Unaligned buffers are legal in this interface. */
template <typename Source>
inline Source element(const void *buffer, size_t index) {
    Source source;
    std::memcpy(&source, static_cast<const uint8_t *>(buffer) + index * sizeof(Source), sizeof(Source));
    return source;
}

template <typename Element>
inline void put(uint8_t *buffer, size_t index, Element value) {
    std::memcpy(buffer + index * sizeof(Element), &value, sizeof(Element));
}

/* Beyond the fourth channel the vendor's library uses the first channel's values: so does a board. */
float mean_of(const TensorPort &port, uint32_t channel) {
    return port.normalisation.mean[channel < 4 ? channel : 0];
}
float deviation_of(const TensorPort &port, uint32_t channel) {
    return port.normalisation.deviation[channel < 4 ? channel : 0];
}

/* ---- Writing elements where the NPU expects them ---- */

/* Writes convert(source element, channel) for each element; the source is dense NHWC for 4-D tensors. */
template <typename Source, typename Element, typename Convert>
void write_image(const TensorPort &port, const void *source, uint8_t *stored, const std::vector<Element> &padding,
                 Convert convert) {
    const size_t rows = static_cast<size_t>(port.n) * port.batch * port.h;
    size_t from = 0;
    for (size_t row = 0; row < rows; ++row) {
        size_t to = row * port.w_stride * port.c;
        for (uint32_t x = 0; x < port.w; ++x) {
            for (uint32_t channel = 0; channel < port.c; ++channel) {
                put<Element>(stored, to++, convert(element<Source>(source, from++), channel));
            }
        }
        for (uint32_t x = port.w; x < port.w_stride; ++x) {
            for (uint32_t channel = 0; channel < port.c; ++channel) put<Element>(stored, to++, padding[channel]);
        }
    }
}

template <typename Source, typename Element, typename Convert>
void write_feature(const TensorPort &port, const void *source, uint8_t *stored, Convert convert) {
    if (port.c % port.c2 != 0 || port.c1 * port.c2 > port.c) {
        std::memset(stored, 0, static_cast<size_t>(port.stored_bytes) * port.batch);
    }
    const size_t pixels = static_cast<size_t>(port.h) * port.w;
    size_t from = 0;
    for (size_t image = 0; image < static_cast<size_t>(port.n) * port.batch; ++image) {
        for (size_t pixel = 0; pixel < pixels; ++pixel) {
            for (uint32_t channel = 0; channel < port.c; ++channel) {
                const size_t block = image * port.c1 + channel / port.c2;
                const size_t to = (block * port.surface + pixel) * port.c2 + channel % port.c2;
                put<Element>(stored, to, convert(element<Source>(source, from++), channel));
            }
        }
    }
}

/* A 4-D tensor that the NPU keeps in ONNX order: from NHWC to NCHW. */
template <typename Source, typename Element, typename Convert>
void write_planes(const TensorPort &port, const void *source, uint8_t *stored, Convert convert) {
    const size_t pixels = static_cast<size_t>(port.h) * port.w;
    size_t from = 0;
    for (size_t image = 0; image < static_cast<size_t>(port.n) * port.batch; ++image) {
        for (size_t pixel = 0; pixel < pixels; ++pixel) {
            for (uint32_t channel = 0; channel < port.c; ++channel) {
                put<Element>(stored, (image * port.c + channel) * pixels + pixel,
                             convert(element<Source>(source, from++), channel));
            }
        }
    }
}

template <typename Source, typename Element, typename Convert>
void write_elements(const TensorPort &port, const void *source, uint8_t *stored, const std::vector<Element> &padding,
                    Convert convert) {
    if (port.storage == Storage::image) {
        write_image<Source, Element>(port, source, stored, padding, convert);
    } else if (port.storage == Storage::feature) {
        write_feature<Source, Element>(port, source, stored, convert);
    } else if (port.api_is_nhwc()) {
        write_planes<Source, Element>(port, source, stored, convert);
    } else {
        for (size_t i = 0; i < port.total_elements(); ++i) {
            put<Element>(stored, i, convert(element<Source>(source, i), 0));
        }
    }
}

/* ---- The arithmetic, one function for each type that a model's input can have ---- */

/* Images: fixed point, because the NPU's own converter has that and the CPU imitates it. */
template <typename Source>
void quantise_image(const TensorPort &port, const void *source, uint8_t *stored) {
    double factor[4];
    double offset[4];
    for (uint32_t channel = 0; channel < port.c; ++channel) {
        const PixelScaling scaling = pixel_scaling(port, channel);
        factor[channel] = scaling.factor();
        offset[channel] = scaling.offset;
    }
    const std::vector<int8_t> padding(port.c, static_cast<int8_t>(port.zero_point));
    write_image<Source, int8_t>(port, source, stored, padding, [&](Source value, uint32_t channel) {
        const double scaled = static_cast<double>(value_of(value)) * factor[channel];
        return saturate_to_int8(round_half_even(scaled) + offset[channel]);
    });
}

/* 4-D tensors of more channels: exact arithmetic, saturating. */
template <typename Source>
void quantise_channels(const TensorPort &port, const void *source, uint8_t *stored) {
    std::vector<double> factor(port.c);
    std::vector<double> offset(port.c);
    for (uint32_t channel = 0; channel < port.c; ++channel) {
        factor[channel] = 1.0 / (static_cast<double>(deviation_of(port, channel)) * port.scale);
        offset[channel] = port.zero_point - mean_of(port, channel) * factor[channel];
    }
    write_elements<Source, int8_t>(port, source, stored, {}, [&](Source value, uint32_t channel) {
        return saturate_to_int8(round_half_even(value_of(value) * factor[channel] + offset[channel]));
    });
}

/* Anything but 4-D: the vendor's library does not saturate here, values out of range wrap around. */
template <typename Source>
void quantise_plain(const TensorPort &port, const void *source, uint8_t *stored) {
    write_elements<Source, int8_t>(port, source, stored, {}, [&](Source value, uint32_t) {
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
    const std::vector<Element> padding(std::max(port.c, 1U), Element{});
    write_elements<Source, Element>(port, source, stored, padding, [&](Source value, uint32_t channel) {
        const auto number = static_cast<float>(value_of(value));
        return narrow((number - mean_of(port, channel)) / deviation_of(port, channel));
    });
}

/* Other integers (uint8, int16): the affine rule with the type's own range. Not recorded from a board. */
template <typename Source, typename Element>
void quantise_other(const TensorPort &port, const void *source, uint8_t *stored) {
    constexpr double least = std::numeric_limits<Element>::min();
    constexpr double most = std::numeric_limits<Element>::max();
    const std::vector<Element> padding(std::max(port.c, 1U), static_cast<Element>(port.zero_point));
    write_elements<Source, Element>(port, source, stored, padding, [&](Source value, uint32_t channel) {
        const double real = (value_of(value) - mean_of(port, channel)) / deviation_of(port, channel);
        const double scaled = round_half_even(real / port.scale + port.zero_point);
        return static_cast<Element>(std::isnan(scaled) ? most : std::clamp(scaled, least, most));
    });
}

/* Indices: whole numbers as they are, fractions cut off. */
template <typename Source, typename Element>
void truncate(const TensorPort &port, const void *source, uint8_t *stored) {
    write_elements<Source, Element>(port, source, stored, std::vector<Element>(std::max(port.c, 1U), Element{}),
                                    [](Source value, uint32_t) {
                                        if constexpr (std::is_same_v<Source, int64_t>) {
                                            return static_cast<Element>(value);
                                        } else {
                                            return static_cast<Element>(truncate_to_int64(value_of(value)));
                                        }
                                    });
}

/* What a float or a pixel becomes. */
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
            return write_elements<Source, uint8_t>(port, source, stored, {0, 0, 0, 0}, [](Source value, uint32_t) {
                return static_cast<uint8_t>(value_of(value) != 0 ? 1 : 0);
            });
        default:
            return truncate<Source, int64_t>(port, source, stored);
    }
}

/* ---- Deciding what to do with an input ---- */

bool is_index_type(DataType type) {
    return type == DataType::int64 || type == DataType::int32 || type == DataType::uint64 || type == DataType::uint32;
}

/* The number that the vendor's messages give for a type. */
int message_number(rknn_tensor_type type) {
    switch (type) {
        case RKNN_TENSOR_INT8:
            return 3;
        case RKNN_TENSOR_INT32:
            return 6;
        case RKNN_TENSOR_INT64:
            return 7;
        case RKNN_TENSOR_BOOL:
            return 9;
        default:
            return static_cast<int>(type);
    }
}

bool type_is_supported(const TensorPort &port, rknn_tensor_type type) {
    switch (type) {
        case RKNN_TENSOR_FLOAT32:
        case RKNN_TENSOR_FLOAT16:
        case RKNN_TENSOR_UINT8:
            return true;
        case RKNN_TENSOR_INT8:
            return port.type == DataType::int8;
        case RKNN_TENSOR_INT32:
        case RKNN_TENSOR_INT64:
            return is_index_type(port.type);
        case RKNN_TENSOR_BOOL:
            return port.type == DataType::boolean;
        default:
            return false;
    }
}

/* Why the vendor's library does nothing with this input although it returns 0; "" when it does something. */
std::string refusal(const TensorPort &port, const rknn_input &input) {
    const int fmt = static_cast<int>(input.fmt);
    if (input.fmt == RKNN_TENSOR_NC1HWC2) {
        if (!port.four_d()) return text_of("rknn_inputs_set, meet unsupported layout(", fmt, ")!");
        if (port.storage == Storage::image) {
            return "rknn_inputs_set, when input channel is 1, 3 or 4, not support NC1HWC2 layout!";
        }
    }
    if (!type_is_supported(port, input.type)) {
        return text_of("Normalize does not support for this data type. src type(", message_number(input.type),
                       "), dst type ", static_cast<int>(port.type));
    }
    if (port.api_is_nhwc() && input.fmt != RKNN_TENSOR_NHWC) {
        return text_of("Meet unsupported src layout for normalize: ", fmt, " (only NHWC is converted)");
    }
    if (input.type == RKNN_TENSOR_INT8 && !port.four_d()) {
        return text_of("Meet unsupported src layout for normalize: ", fmt);
    }
    return "";
}

/* Pixels go to the NPU as they are; the gap at the end of a row holds what becomes zero after normalisation. */
InputReading store_pixels(const TensorPort &port, const void *source, uint8_t *stored) {
    std::vector<uint8_t> gap(static_cast<size_t>(port.w_stride - port.w) * port.c);
    for (size_t i = 0; i < gap.size(); ++i) {
        const double mean = round_half_even(mean_of(port, static_cast<uint32_t>(i % port.c)));
        gap[i] = static_cast<uint8_t>(std::clamp(mean, 0.0, 255.0));
    }
    const size_t row_bytes = static_cast<size_t>(port.w) * port.c;
    const size_t rows = static_cast<size_t>(port.n) * port.batch * port.h;
    for (size_t row = 0; row < rows; ++row) {
        uint8_t *to = stored + row * (row_bytes + gap.size());
        std::memcpy(to, static_cast<const uint8_t *>(source) + row * row_bytes, row_bytes);
        std::copy(gap.begin(), gap.end(), to + row_bytes);
    }
    return {true, false};
}

InputReading store_quantised(const TensorPort &port, const void *source, uint8_t *stored) {
    write_elements<int8_t, int8_t>(port, source, stored, std::vector<int8_t>(port.c, 0),
                                   [](int8_t value, uint32_t) { return value; });
    return {};
}

InputReading convert(const TensorPort &port, const rknn_input &input, uint8_t *stored) {
    switch (input.type) {
        case RKNN_TENSOR_UINT8:
            if (port.type == DataType::int8 && port.storage == Storage::image) {
                return store_pixels(port, input.buf, stored);
            }
            convert_number<uint8_t>(port, input.buf, stored);
            break;
        case RKNN_TENSOR_INT8:
            return store_quantised(port, input.buf, stored);
        case RKNN_TENSOR_FLOAT16:
            convert_number<Half>(port, input.buf, stored);
            break;
        case RKNN_TENSOR_INT32:
            convert_number<int32_t>(port, input.buf, stored);
            break;
        case RKNN_TENSOR_INT64:
            convert_number<int64_t>(port, input.buf, stored);
            break;
        case RKNN_TENSOR_BOOL:
            convert_number<uint8_t>(port, input.buf, stored);
            break;
        default:
            convert_number<float>(port, input.buf, stored);
            break;
    }
    return {};
}

/* pass_through: the bytes as they are, from the start of the buffer. The vendor's library copies beyond the buffer's
 * end if there are more; here the rest is left out. */
std::optional<InputReading> pass_through(const TensorPort &port, const rknn_input &input, uint8_t *stored,
                                         size_t capacity) {
    if (!port.four_d() && input.fmt == RKNN_TENSOR_NHWC) {
        log_error("pass_through mode only support channel 1, 2, 3, 4, in NHWC layout");
        return std::nullopt;
    }
    std::memcpy(stored, input.buf, std::min<size_t>(input.size, capacity));
    const bool native_type = input.type == RKNN_TENSOR_INT8 || input.type == RKNN_TENSOR_FLOAT16;
    return InputReading{false, !(input.fmt == RKNN_TENSOR_NHWC && native_type)};
}

void check_arguments(const TensorPort &port, const rknn_input &input, uint32_t index) {
    if (input.buf == nullptr) fail(RKNN_ERR_PARAM_INVALID, "input ", index, " ('", port.name, "') has no buffer");
    if (input.fmt < RKNN_TENSOR_NCHW || input.fmt >= RKNN_TENSOR_FORMAT_MAX) {
        fail(RKNN_ERR_PARAM_INVALID, "meet unsupported layout(", static_cast<int>(input.fmt), ")!");
    }
    const uint32_t element_size = input_element_size(input.type);
    if (element_size == 0) {
        fail(RKNN_ERR_PARAM_INVALID, "input ", index, " ('", port.name, "') has type ", static_cast<int>(input.type),
             ", which cannot be set");
    }
    const uint64_t needed = static_cast<uint64_t>(port.total_elements()) * element_size;
    if (input.size < needed) {
        fail(RKNN_ERR_PARAM_INVALID, "param input size(", input.size, ") < model input size(", needed, ")");
    }
}

/* The fast path of the vendor's library for images that need no gaps takes no oversized buffer. */
bool oversized_copy(const TensorPort &port, const rknn_input &input) {
    return port.storage == Storage::image && port.type == DataType::int8 && input.type == RKNN_TENSOR_UINT8 &&
           port.c == 1 && port.w == port.w_stride && input.size > port.total_elements();
}

}  // namespace

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

std::optional<InputReading> store_input(const TensorPort &port, const rknn_input &input, uint32_t index,
                                        uint8_t *stored, size_t capacity) {
    check_arguments(port, input, index);
    if (input.pass_through != 0) return pass_through(port, input, stored, capacity);
    if (oversized_copy(port, input)) {
        log_error(text_of("current input size(", input.size, ") > need input size(", port.total_elements(), ")"));
        return std::nullopt;
    }
    const std::string reason = refusal(port, input);
    if (!reason.empty()) {
        log_error(reason);
        log_error(text_of("rknn_inputs_set, normalize error(-1) index=", index));
        return std::nullopt;
    }
    return convert(port, input, stored);
}

/* ---- What the NPU does when it reads ---- */

namespace {

/* Calls take(stored element's index) for each element in ONNX order. */
template <typename Take>
void visit(const TensorPort &port, bool dense_rows, Take take) {
    const uint32_t row = dense_rows ? port.w : port.w_stride;
    for (uint32_t image = 0; image < port.n; ++image) {
        for (uint32_t channel = 0; channel < port.c; ++channel) {
            for (uint32_t y = 0; y < port.h; ++y) {
                for (uint32_t x = 0; x < port.w; ++x) {
                    if (port.storage == Storage::image) {
                        const size_t pixel = (static_cast<size_t>(image) * port.h + y) * row + x;
                        take(pixel * port.c + channel, channel);
                    } else {
                        const size_t block = static_cast<size_t>(image) * port.c1 + channel / port.c2;
                        const size_t pixel = static_cast<size_t>(y) * port.w + x;
                        take((block * port.surface + pixel) * port.c2 + channel % port.c2, channel);
                    }
                }
            }
        }
    }
}

template <typename Element>
void gather(const TensorPort &port, bool dense_rows, const uint8_t *stored, uint8_t *dense) {
    size_t to = 0;
    visit(port, dense_rows, [&](size_t from, uint32_t) { put<Element>(dense, to++, element<Element>(stored, from)); });
}

/* A pixel has 256 values: what each becomes is computed once a channel. */
void quantise_pixels(const TensorPort &port, const uint8_t *stored, uint8_t *dense) {
    std::vector<int8_t> table(256 * static_cast<size_t>(port.c));
    for (uint32_t channel = 0; channel < port.c; ++channel) {
        const PixelScaling scaling = pixel_scaling(port, channel);
        for (uint32_t value = 0; value < 256; ++value) {
            table[256 * channel + value] = saturate_to_int8(round_half_even(value * scaling.factor()) + scaling.offset);
        }
    }
    size_t to = 0;
    visit(port, false, [&](size_t from, uint32_t channel) {
        dense[to++] = static_cast<uint8_t>(table[256 * channel + stored[from]]);
    });
}

}  // namespace

void load_input(const TensorPort &port, InputReading reading, const uint8_t *stored, uint8_t *dense) {
    if (port.storage == Storage::plain) {
        std::memcpy(dense, stored, port.dense_bytes);
        return;
    }
    if (reading.raw_uint8) return quantise_pixels(port, stored, dense);
    const bool dense_rows = reading.dense_rows && port.storage == Storage::image;
    switch (port.element_size) {
        case 1:
            return gather<uint8_t>(port, dense_rows, stored, dense);
        case 2:
            return gather<uint16_t>(port, dense_rows, stored, dense);
        case 4:
            return gather<uint32_t>(port, dense_rows, stored, dense);
        default:
            return gather<uint64_t>(port, dense_rows, stored, dense);
    }
}

}  // namespace ez_rknn::simulator
