/* SPDX-License-Identifier: Apache-2.0 */
/* The conversion kernels, compared with the rules of ez_rknn_kernels.h element by element. */
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "ez_rknn_engine.h"
#include "tests/check.h"

using namespace ez_rknn::tests;

namespace {

constexpr uint8_t untouched = 0xEE;

struct Types {
    uint32_t rule;
    rknn_tensor_type from;
    rknn_tensor_type to;
};

size_t size_of(rknn_tensor_type type) {
    switch (static_cast<int>(type)) {
        case RKNN_TENSOR_INT8:
        case RKNN_TENSOR_UINT8:
            return 1;
        case RKNN_TENSOR_INT16:
        case RKNN_TENSOR_FLOAT16:
            return 2;
        case RKNN_TENSOR_INT64:
            return 8;
        default:
            return 4;
    }
}

template <typename Number>
Number read(const uint8_t *at) {
    Number number;
    std::memcpy(&number, at, sizeof number);
    return number;
}

float float_of_half(uint16_t half) {
    const int exponent = half >> 10 & 31;
    const int mantissa = half & 1023;
    float value =
        std::ldexp(static_cast<float>(exponent == 0 ? mantissa : mantissa + 1024), std::max(exponent, 1) - 25);
    if (exponent == 31) value = mantissa == 0 ? INFINITY : NAN;
    return (half & 0x8000) != 0 ? -value : value;
}

/* Converts by search: the nearest half, and of two equally near ones the even. */
uint16_t half_of_float(float value) {
    if (std::isnan(value)) return 0x7E00;
    const uint16_t sign = std::signbit(value) ? 0x8000 : 0;
    const double magnitude = std::fabs(value);
    if (magnitude >= 65520) return sign | 0x7C00;
    uint16_t below = 0;
    for (uint16_t step = 0x4000; step != 0; step >>= 1) {
        if (below + step < 0x7C00 && static_cast<double>(float_of_half(below + step)) <= magnitude) below += step;
    }
    if (below == 0x7BFF) return sign | below;
    const double under = magnitude - float_of_half(below), over = float_of_half(below + 1) - magnitude;
    return sign | (under < over || (under == over && below % 2 == 0) ? below : below + 1);
}

double number_at(rknn_tensor_type type, const uint8_t *at) {
    switch (static_cast<int>(type)) {
        case RKNN_TENSOR_INT8:
            return read<int8_t>(at);
        case RKNN_TENSOR_UINT8:
            return *at;
        case RKNN_TENSOR_INT16:
            return read<int16_t>(at);
        case RKNN_TENSOR_INT32:
            return read<int32_t>(at);
        case RKNN_TENSOR_FLOAT16:
            return float_of_half(read<uint16_t>(at));
        default:
            return read<float>(at);
    }
}

/* Writes the integer of a type that the value saturates to. */
void put_whole(rknn_tensor_type type, double value, uint8_t *to) {
    const double least = type == RKNN_TENSOR_INT8 ? -128 : type == RKNN_TENSOR_UINT8 ? 0 : -32768;
    const double most = type == RKNN_TENSOR_INT8 ? 127 : type == RKNN_TENSOR_UINT8 ? 255 : 32767;
    const auto whole = static_cast<int32_t>(std::isnan(value) ? most : std::clamp(value, least, most));
    std::memcpy(to, &whole, size_of(type));
}

void put_float(rknn_tensor_type type, float value, uint8_t *to) {
    const uint16_t half = half_of_float(value);
    std::memcpy(to, type == RKNN_TENSOR_FLOAT16 ? static_cast<const void *>(&half) : &value, size_of(type));
}

void convert_one(const Types &types, double a, double b, const uint8_t *from, uint8_t *to) {
    if (types.rule == EZR_RULE_COPY) {
        std::memcpy(to, from, size_of(types.to));
        return;
    }
    const double x = number_at(types.from, from);
    const auto x32 = static_cast<float>(x), a32 = static_cast<float>(a), b32 = static_cast<float>(b);
    // The products and sums are stored before they are used: each is rounded.
    volatile double product = x * a;
    volatile float quotient = x32 / a32;
    switch (types.rule) {
        case EZR_RULE_NORMALISE:
            return put_float(types.to, (x32 - a32) / b32, to);
        case EZR_RULE_DEQUANTISE:
            return put_float(types.to, (x32 - b32) * a32, to);
        case EZR_RULE_SCALE:
            return put_whole(types.to, std::nearbyint(product) + b, to);
        case EZR_RULE_AFFINE:
            return put_whole(types.to, std::nearbyint(product + b), to);
        default:
            return put_whole(types.to, std::nearbyint(quotient + b32), to);
    }
}

/* The place of an element according to the header. */
size_t place(const ezr_conversion &conversion, const ezr_layout &layout, uint32_t n, uint32_t k, uint32_t y,
             uint32_t x) {
    const size_t row = layout.row == 0 ? conversion.w : layout.row;
    if (layout.format == RKNN_TENSOR_NCHW) return ((size_t{n} * conversion.c + k) * conversion.h + y) * row + x;
    if (layout.format == RKNN_TENSOR_NHWC) return ((size_t{n} * conversion.h + y) * row + x) * conversion.c + k;
    const size_t surface = layout.surface == 0 ? size_t{conversion.h} * conversion.w : layout.surface;
    const size_t block = size_t{n} * layout.c1 + k / layout.c2;
    return (block * surface + size_t{y} * conversion.w + x) * layout.c2 + k % layout.c2;
}

std::vector<uint8_t> expected(const ezr_conversion &conversion, const std::vector<uint8_t> &from) {
    const Types types{conversion.rule, conversion.from.type, conversion.to.type};
    std::vector<uint8_t> to(ezr_layout_bytes(conversion.n, conversion.c, conversion.h, conversion.w, &conversion.to));
    const auto each = [&](uint32_t width, auto visit) {
        for (uint32_t n = 0; n < conversion.n; ++n) {
            for (uint32_t k = 0; k < conversion.c; ++k) {
                for (uint32_t y = 0; y < conversion.h; ++y) {
                    for (uint32_t x = 0; x < width; ++x) {
                        visit(&to[place(conversion, conversion.to, n, k, y, x) * size_of(types.to)], n, k, y, x);
                    }
                }
            }
        }
    };
    // The gaps first: elements overwrite them.
    if (conversion.gap != nullptr && conversion.to.format != RKNN_TENSOR_NC1HWC2) {
        each(std::max(conversion.to.row, conversion.w), [&](uint8_t *at, uint32_t, uint32_t k, uint32_t, uint32_t) {
            std::memcpy(at, &conversion.gap[k], size_of(types.to));
        });
    }
    each(conversion.w, [&](uint8_t *at, uint32_t n, uint32_t k, uint32_t y, uint32_t x) {
        const size_t i = conversion.channels == 1 ? 0 : k;
        const bool copies = types.rule == EZR_RULE_COPY;
        convert_one(types, copies ? 0 : conversion.a[i], copies ? 0 : conversion.b[i],
                    &from[place(conversion, conversion.from, n, k, y, x) * size_of(types.from)], at);
    });
    return to;
}

/* Fills with typical numbers, and every special one. */
void fill(rknn_tensor_type type, std::mt19937 &random, std::vector<uint8_t> &bytes) {
    constexpr float special_values[] = {NAN,  INFINITY, -INFINITY, 0.0F,   -0.0F,    1e-45F,   6e-8F, 0.5F,
                                        2.5F, -3.5F,    127.5F,    255.5F, 65519.9F, 65520.0F, 3e38F, -1e30F};
    std::normal_distribution<float> normal(0, 100);
    const size_t size = size_of(type);
    for (size_t i = 0; i + size <= bytes.size(); i += size) {
        if (type == RKNN_TENSOR_FLOAT32 || type == RKNN_TENSOR_FLOAT16) {
            put_float(type, random() % 8 == 0 ? special_values[random() % std::size(special_values)] : normal(random),
                      &bytes[i]);
        } else {
            for (size_t k = 0; k < size; ++k) bytes[i + k] = static_cast<uint8_t>(random());
        }
    }
}

bool same(rknn_tensor_type type, const std::vector<uint8_t> &left, const uint8_t *right) {
    if (std::memcmp(left.data(), right, left.size()) == 0) return true;
    if (type != RKNN_TENSOR_FLOAT32 && type != RKNN_TENSOR_FLOAT16) return false;
    const size_t size = size_of(type);
    for (size_t i = 0; i < left.size(); i += size) {
        const bool both_nan = std::isnan(number_at(type, &left[i])) && std::isnan(number_at(type, right + i));
        if (!both_nan && std::memcmp(&left[i], right + i, size) != 0) return false;
    }
    return true;
}

/* Checks a conversion in buffers that start at odd addresses and end with the tensors, so the sanitizer sees every
 * access beyond. */
bool is_right(const ezr_conversion &conversion, std::mt19937 &random) {
    if (ezr_check_conversion(&conversion) != EZR_OK) return false;
    const auto bytes = [&](const ezr_layout &layout) {
        return ezr_layout_bytes(conversion.n, conversion.c, conversion.h, conversion.w, &layout);
    };
    std::vector<uint8_t> source(bytes(conversion.from));
    fill(conversion.from.type, random, source);
    std::vector<uint8_t> from(source.size() + 1), to(bytes(conversion.to) + 1, untouched);
    std::copy(source.begin(), source.end(), from.begin() + 1);
    ezr_convert(&conversion, from.data() + 1, to.data() + 1);
    return to[0] == untouched && same(conversion.to.type, expected(conversion, source), to.data() + 1);
}

std::vector<ezr_layout> layouts_of(rknn_tensor_type type, uint32_t c, uint32_t h, uint32_t w) {
    std::vector<ezr_layout> layouts = {{type, RKNN_TENSOR_NCHW, 0, 0, 0, 0},
                                       {type, RKNN_TENSOR_NHWC, 0, 0, 0, 0},
                                       {type, RKNN_TENSOR_NCHW, w + 3, 0, 0, 0},
                                       {type, RKNN_TENSOR_NHWC, w + 5, 0, 0, 0}};
    const uint32_t block = size_of(type) == 2 ? 8 : 16;  // sixteen bytes, as the NPU has them
    for (const uint32_t c2 : {4U, block}) {
        layouts.push_back({type, RKNN_TENSOR_NC1HWC2, 0, (c + c2 - 1) / c2, c2, 0});
        layouts.push_back({type, RKNN_TENSOR_NC1HWC2, 0, (c + c2 - 1) / c2 + 1, c2, h * w + 3});
    }
    return layouts;
}

/* Checks every pair of layouts, with one pair of factors and with one for each channel. */
void check_types(const Types &types, uint32_t n, uint32_t c, uint32_t h, uint32_t w) {
    std::mt19937 random(c * 1000 + w + types.rule);
    std::vector<double> a(c), b(c);
    std::vector<int32_t> gap(c);
    for (uint32_t k = 0; k < c; ++k) {
        a[k] = k % 3 == 0 ? 0.5 : static_cast<float>(0.01 + static_cast<double>(random() % 1000) / 300);
        b[k] = types.rule == EZR_RULE_NORMALISE ? 57.12 + k : static_cast<double>(random() % 256) - 128;
        if (types.rule == EZR_RULE_AFFINE && k % 2 == 1) b[k] += 0.3;
        gap[k] = static_cast<int32_t>(k % 100);
    }
    const bool whole = types.to != RKNN_TENSOR_FLOAT32 && types.to != RKNN_TENSOR_FLOAT16;
    for (const ezr_layout &from : layouts_of(types.from, c, h, w)) {
        for (const ezr_layout &to : layouts_of(types.to, c, h, w)) {
            for (const uint32_t channels : {1U, c}) {
                const ezr_conversion conversion{n,
                                                c,
                                                h,
                                                w,
                                                from,
                                                to,
                                                types.rule,
                                                channels,
                                                a.data(),
                                                b.data(),
                                                whole && size_of(types.to) <= 4 ? gap.data() : nullptr,
                                                nullptr};
                if (is_right(conversion, random)) continue;
                std::fprintf(stderr, "rule %u, type %d to %d, format %d to %d, %ux%ux%ux%u, %u factors\n", types.rule,
                             types.from, types.to, from.format, to.format, n, c, h, w, channels);
                CHECK(false);
            }
        }
    }
}

std::vector<Types> all_types() {
    std::vector<Types> all;
    for (const auto type : {RKNN_TENSOR_INT8, RKNN_TENSOR_FLOAT16, RKNN_TENSOR_FLOAT32, RKNN_TENSOR_INT64}) {
        all.push_back({EZR_RULE_COPY, type, type});
    }
    for (const auto from : {RKNN_TENSOR_FLOAT32, RKNN_TENSOR_FLOAT16, RKNN_TENSOR_UINT8, RKNN_TENSOR_INT8}) {
        for (const auto to : {RKNN_TENSOR_INT8, RKNN_TENSOR_UINT8, RKNN_TENSOR_INT16}) {
            for (const uint32_t rule : {EZR_RULE_SCALE, EZR_RULE_AFFINE, EZR_RULE_DIVIDE})
                all.push_back({rule, from, to});
        }
        for (const auto to : {RKNN_TENSOR_FLOAT32, RKNN_TENSOR_FLOAT16}) all.push_back({EZR_RULE_NORMALISE, from, to});
    }
    for (const auto from : {RKNN_TENSOR_INT8, RKNN_TENSOR_UINT8, RKNN_TENSOR_INT16, RKNN_TENSOR_INT32}) {
        all.push_back({EZR_RULE_DEQUANTISE, from, RKNN_TENSOR_FLOAT32});
    }
    return all;
}

}  // namespace

/* Images of few channels. */
TEST(images_are_converted_between_all_layouts_and_types) {
    for (const Types &types : all_types()) {
        for (const uint32_t c : {1U, 3U, 4U}) check_types(types, 2, c, 2, 37);
    }
}

/* Tensors of more channels than a block or a tile has. */
TEST(features_are_converted_between_all_layouts_and_types) {
    for (const Types &types : all_types()) {
        for (const uint32_t c : {7U, 33U}) check_types(types, 1, c, 2, 19);
    }
}

/* Enough pixels for the fast path of bytes, and for tensors of several pieces. */
TEST(large_images_are_converted) {
    for (const uint32_t rule : {EZR_RULE_SCALE, EZR_RULE_AFFINE, EZR_RULE_DIVIDE}) {
        for (const auto from : {RKNN_TENSOR_UINT8, RKNN_TENSOR_FLOAT32}) {
            check_types({rule, from, RKNN_TENSOR_INT8}, 1, 3, 61, 73);
            check_types({rule, from, RKNN_TENSOR_UINT8}, 1, 1, 61, 73);
        }
    }
}

/* Bytes have fast paths of their own, by lines with and without ties, by tables, and to halves: all values, with
 * factors typical of images, and with round ones. */
TEST(images_of_bytes_are_converted) {
    std::mt19937 random(7);
    constexpr double round_factors[] = {1, 0.5, 0.25, 1.5, 0.75, 2, 3, 1.0 / 64, 0.99609375, -0.5};
    for (int trial = 0; trial < 300; ++trial) {
        const uint32_t c = trial % 5 + 1;
        std::vector<double> a(c), b(c);
        const bool is_round = random() % 2 == 0;
        const double same = round_factors[random() % std::size(round_factors)];
        for (uint32_t k = 0; k < c; ++k) {
            a[k] = is_round ? same : static_cast<float>(0.01 + static_cast<double>(random() % 1000) / 700);
            b[k] = static_cast<double>(random() % 300) - 200;
            if (trial % 3 == 1) b[k] += static_cast<double>(random() % 3) / 4;
        }
        const uint32_t rule = trial % 3 == 0 ? EZR_RULE_SCALE : trial % 3 == 1 ? EZR_RULE_AFFINE : EZR_RULE_DIVIDE;
        const auto type = random() % 2 == 0 ? RKNN_TENSOR_INT8 : RKNN_TENSOR_UINT8;
        const auto format = random() % 4 == 0 ? RKNN_TENSOR_NCHW : RKNN_TENSOR_NHWC;
        const ezr_layout from{RKNN_TENSOR_UINT8, format, 0, 0, 0, 0}, to{type, format, 0, 0, 0, 0};
        const uint32_t channels = random() % 3 == 0 ? 1 : c;
        const ezr_conversion conversion{1, c, 61, 73, from, to, rule, channels, a.data(), b.data(), nullptr, nullptr};
        CHECK(is_right(conversion, random));
        // For floats a is subtracted, and b is the divisor.
        const ezr_layout halves{RKNN_TENSOR_FLOAT16, format, 0, 0, 0, 0};
        CHECK(is_right({1, c, 61, 73, from, halves, EZR_RULE_NORMALISE, channels, b.data(), a.data(), nullptr, nullptr},
                       random));
    }
}

/* True if the conversion of one row of numbers, with `special` at `places`, reports a NaN. */
bool tells_of_nan(const Types &types, rknn_tensor_format format, uint32_t channels, double b, float special,
                  const std::vector<size_t> &places) {
    constexpr uint32_t channel_count = 3, row_width = 150;
    const double a[] = {0.5, 0.25, 0.125}, all_b[] = {b, b, b};
    uint32_t met_nan = 0;
    const ezr_layout from{types.from, RKNN_TENSOR_NCHW, 0, 0, 0, 0}, to{types.to, format, 0, 0, 0, 0};
    const ezr_conversion conversion{1,          channel_count, 1, row_width, from,    to,
                                    types.rule, channels,      a, all_b,     nullptr, &met_nan};
    CHECK_EQ(ezr_check_conversion(&conversion), EZR_OK);
    std::vector<uint8_t> source(channel_count * row_width * size_of(types.from)), result(channel_count * row_width * 2);
    for (const size_t place : places) put_float(types.from, special, &source[place * size_of(types.from)]);
    ezr_convert(&conversion, source.data(), result.data());
    return met_nan != 0;
}

/* In every place: in a block of estimates, in the remainder, and (far from zero) without estimates. Infinities are
 * numbers that saturate. */
TEST(a_quantised_nan_is_reported) {
    for (const Types &types : all_types()) {
        const bool is_quantised =
            types.rule != EZR_RULE_COPY && size_of(types.to) <= 2 && types.to != RKNN_TENSOR_FLOAT16;
        if (!is_quantised || (types.from != RKNN_TENSOR_FLOAT32 && types.from != RKNN_TENSOR_FLOAT16)) continue;
        for (const auto format : {RKNN_TENSOR_NCHW, RKNN_TENSOR_NHWC}) {
            for (const uint32_t channels : {1U, 3U}) {
                for (const double b : {3.0, 1e6}) {
                    CHECK(!tells_of_nan(types, format, channels, b, INFINITY, {0, 149, 150, 449}));
                    for (const size_t place : {0, 63, 64, 127, 130, 149, 150, 299, 300, 449}) {
                        CHECK(tells_of_nan(types, format, channels, b, NAN, {place}));
                    }
                }
            }
        }
    }
}

/* More channels than the factors are repeated for. */
TEST(very_many_channels_are_converted) {
    check_types({EZR_RULE_AFFINE, RKNN_TENSOR_FLOAT32, RKNN_TENSOR_INT8}, 1, 1000, 2, 9);
}

/* A tensor without elements: no pointer is followed, and nothing is written. */
TEST(empty_tensors_are_accepted) {
    const ezr_layout layout{RKNN_TENSOR_INT8, RKNN_TENSOR_NHWC, 0, 0, 0, 0};
    const ezr_conversion conversion{1, 3, 0, 7, layout, layout, EZR_RULE_COPY, 0, nullptr, nullptr, nullptr, nullptr};
    CHECK_EQ(ezr_check_conversion(&conversion), EZR_OK);
    CHECK_EQ(ezr_layout_bytes(1, 3, 0, 7, &layout), size_t{0});
    ezr_convert(&conversion, nullptr, nullptr);
}

/* Sizes beyond any memory are refused, instead of overflowing to a small number. */
TEST(sizes_that_overflow_are_refused) {
    const ezr_layout layout{RKNN_TENSOR_INT64, RKNN_TENSOR_NCHW, 0, 0, 0, 0};
    ezr_conversion conversion{1, 1U << 31, 1U << 31, 1U << 31, layout, layout, EZR_RULE_COPY,
                              0, nullptr,  nullptr,  nullptr,  nullptr};
    CHECK_EQ(ezr_layout_bytes(1, 1U << 31, 1U << 31, 1U << 31, &layout), SIZE_MAX);
    CHECK_EQ(ezr_check_conversion(&conversion), EZR_INVALID);
    CHECK_EQ(ezr_check_conversion(nullptr), EZR_INVALID);
}
