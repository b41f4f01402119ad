/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/byte_map.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "kernels/factors.h"

namespace ez_rknn::kernels {
namespace {

/* The slope of a rule's line. */
double slope_of(uint32_t rule, double a) {
    return rule == EZR_RULE_DIVIDE ? 1 / a : a;
}

/* The bit of a source that tells whether a tie's lower neighbour is odd: 2^s for slopes of p / 2^s; 0 if s would exceed
 * 6. */
uint8_t tie_bit(double slope) {
    for (int s = 0; s < 7; ++s) {
        const double multiple = std::ldexp(slope, s);
        if (std::floor(multiple) == multiple) return static_cast<uint8_t>(1 << s);
    }
    return 0;
}

}  // namespace

void ByteMap::find(const Kinds &kinds, const ezr_conversion &conversion, size_t first, size_t channels) {
    const size_t different = conversion.channels == 1 ? 1 : channels;
    if (kinds.to == RKNN_TENSOR_INT16 || different > most_tables) return;
    channels_ = different;
    uint8_t every[bytes];
    std::iota(every, every + bytes, uint8_t{0});
    for (size_t i = 0; i < different; ++i) {
        const ChannelFactors channel_factors(conversion, first + i);
        convert_elements(kinds, every, tables_ + i * bytes, bytes, channel_factors.factors());
    }
    if (!find_line(kinds, conversion, first)) line_.period = 0;
}

bool ByteMap::find_line(const Kinds &kinds, const ezr_conversion &conversion, size_t first) {
    const size_t period = std::lcm(channels_, map_block);
    const double *a = conversion.a, *b = conversion.b;
    if (conversion.channels != 1) {
        a += first;
        b += first;
    }
    double steepest = 0;
    for (size_t i = 0; i < channels_; ++i) {
        const double slope = slope_of(conversion.rule, a[i]);
        if (!(slope > 0)) return false;
        steepest = std::max(steepest, slope);
    }
    // The factor, slope * 2^(shift + 8), shall be as large as 16 bits allow.
    int shift = 8;
    while (shift > 0 && steepest * std::ldexp(1, shift + 8) > UINT16_MAX) --shift;
    if (shift == 0) return false;
    const bool is_signed = kinds.to == RKNN_TENSOR_INT8;
    const auto flip = static_cast<uint8_t>(is_signed ? 0x80 : 0);
    line_ = {factor_, plus_, minus_, turn_, bit_, false, std::max(bytes / period, size_t{1}) * period, shift, flip};
    for (size_t i = 0; i < channels_; ++i) {
        const double slope = slope_of(conversion.rule, a[i]);
        const double offset = b[i] + (is_signed ? 128.5 : 0.5);
        if (!find_channel(slope, offset, i)) return false;
    }
    // One pair of factors stays in registers.
    if (channels_ == 1) line_.period = map_block;
    return true;
}

bool ByteMap::find_channel(double slope, double offset, size_t channel) {
    const double sum = std::ldexp(offset, line_.shift);
    if (!(std::fabs(sum) < UINT16_MAX - 2)) return false;
    const auto nearest_factor = static_cast<int32_t>(std::lround(std::ldexp(slope, line_.shift + 8)));
    const auto nearest_sum = static_cast<int32_t>(std::lround(sum));
    const uint8_t bit = tie_bit(slope);
    const Numbers ties[] = {{0, 0, 0, 0, 0}, {0, 0, 0, 0, bit}, {0, 0, 0, bit, bit}};
    for (Numbers numbers : ties) {
        // Rounded to 16 bits the line misses some steps by one; its neighbours may not.
        for (const int more : {0, 1, -1}) {
            for (const int up : {0, 1, -1}) {
                if (nearest_factor + more < 0 || nearest_factor + more > UINT16_MAX) continue;
                numbers.factor = static_cast<uint16_t>(nearest_factor + more);
                numbers.plus = static_cast<uint16_t>(std::max(nearest_sum + up, 0));
                numbers.minus = static_cast<uint16_t>(std::max(-nearest_sum - up, 0));
                if (is_right(channel, numbers)) return use(channel, numbers), true;
            }
        }
        if (bit == 0) return false;
    }
    return false;
}

bool ByteMap::is_right(size_t channel, const Numbers &numbers) const {
    uint16_t factor[map_block], plus[map_block], minus[map_block];
    uint8_t turn[map_block], bit[map_block];
    std::fill_n(factor, map_block, numbers.factor);
    std::fill_n(plus, map_block, numbers.plus);
    std::fill_n(minus, map_block, numbers.minus);
    std::fill_n(turn, map_block, numbers.turn);
    std::fill_n(bit, map_block, numbers.bit);
    const ByteLine line{factor, plus, minus, turn, bit, numbers.bit != 0, map_block, line_.shift, line_.flip};
    uint8_t every[bytes], mapped[bytes];
    std::iota(every, every + bytes, uint8_t{0});
    map_bytes(line, every, mapped, bytes);
    return std::memcmp(mapped, tables_ + channel * bytes, bytes) == 0;
}

void ByteMap::use(size_t channel, const Numbers &numbers) {
    line_.has_ties = line_.has_ties || numbers.bit != 0;
    for (size_t i = channel; i < line_.period; i += channels_) {
        factor_[place_in_line(i)] = numbers.factor;
        plus_[place_in_line(i)] = numbers.plus;
        minus_[place_in_line(i)] = numbers.minus;
        turn_[i] = numbers.turn;
        bit_[i] = numbers.bit;
    }
}

void ByteMap::convert(const uint8_t *from, uint8_t *to, size_t count) const {
    if (line_.period != 0) return convert_by_line(from, to, count);
    switch (channels_) {
        case 1:
            return look_up<1>(from, to, count);
        case 3:
            return look_up<3>(from, to, count);
        case 4:
            return look_up<4>(from, to, count);
        default:
            return look_up<0>(from, to, count);
    }
}

void ByteMap::convert_by_line(const uint8_t *from, uint8_t *to, size_t count) const {
    const size_t whole = count / map_block * map_block, left = count - whole;
    map_bytes(line_, from, to, whole);
    if (left == 0) return;
    // The rest goes through a block of its own.
    uint8_t block[map_block] = {}, mapped[map_block];
    std::memcpy(block, from + whole, left);
    const size_t at = whole % line_.period;
    ByteLine rest = line_;
    rest.factor += at;
    rest.plus += at;
    rest.minus += at;
    rest.turn += at;
    rest.bit += at;
    rest.period = map_block;
    map_bytes(rest, block, mapped, map_block);
    std::memcpy(to + whole, mapped, left);
}

/* Channels is 0 for a number unknown at compile time. */
template <size_t Channels>
void ByteMap::look_up(const uint8_t *from, uint8_t *to, size_t count) const {
    const size_t channels = Channels == 0 ? channels_ : Channels;
    size_t i = 0;
    for (; i + channels <= count; i += channels) {
        for (size_t k = 0; k < channels; ++k) to[i + k] = tables_[k * bytes + from[i + k]];
    }
    for (size_t k = 0; i + k < count; ++k) to[i + k] = tables_[k * bytes + from[i + k]];
}

}  // namespace ez_rknn::kernels
