#include "byte_map.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "factors.h"

namespace ezr {
namespace {

constexpr size_t kBytes = 256;

/* What the rule makes of every byte. */
void tabulate(const Kinds &kinds, const Factors &factors, uint8_t *table) {
    uint8_t every[kBytes];
    std::iota(every, every + kBytes, uint8_t{0});
    convert_elements(kinds, every, table, kBytes, factors);
}

/* The slope of a rule's line. */
double slope_of(uint32_t rule, double a) {
    return rule == EZR_RULE_DIVIDE ? 1 / a : a;
}

}  // namespace

void ByteMap::find(const Kinds &kinds, const ezr_conversion &conversion, size_t first, size_t channels) {
    const size_t different = conversion.channels == 1 ? 1 : channels;
    const size_t period = std::lcm(different, kMapBlock);
    if (kinds.to == RKNN_TENSOR_INT16 || period > kMost) return;
    flip_ = kinds.to == RKNN_TENSOR_INT8 ? 0x80 : 0;
    double steepest = 0;
    for (size_t i = 0; i < different; ++i) {
        const double slope = slope_of(conversion.rule, conversion.a[first + i]);
        if (!(slope > 0)) return;
        steepest = std::max(steepest, slope);
    }
    // The factor, slope * 2^(shift + 8), is to be as large as 16 bits allow.
    shift_ = 8;
    while (shift_ > 0 && steepest * std::ldexp(1, shift_ + 8) > UINT16_MAX) --shift_;
    if (shift_ == 0) return;
    for (size_t i = 0; i < different; ++i) {
        if (!find_channel(kinds, conversion, first + i, i)) return;
    }
    period_ = kMost / period * period;
    uniform_ = different == 1;
    for (size_t i = different; i < period_; ++i) {
        factor_[i] = factor_[i - different];
        plus_[i] = plus_[i - different];
        minus_[i] = minus_[i - different];
    }
}

bool ByteMap::find_channel(const Kinds &kinds, const ezr_conversion &conversion, size_t channel, size_t index) {
    uint8_t expected[kBytes];
    const ChannelFactors channel_factors(conversion, channel);
    const Factors &factors = channel_factors.factors();
    tabulate(kinds, factors, expected);
    const double slope = slope_of(conversion.rule, *factors.a) * std::ldexp(1, shift_ + 8);
    const double offset = (*factors.b + (flip_ != 0 ? 128.5 : 0.5)) * std::ldexp(1, shift_);
    if (!(std::fabs(offset) < UINT16_MAX - 2)) return false;
    // Rounded to 16 bits the line misses some steps by one; its neighbours may not.
    for (const int more : {0, 1, -1}) {
        for (const int up : {0, 1, -1}) {
            const auto factor = static_cast<int32_t>(std::lround(slope)) + more;
            const auto sum = static_cast<int32_t>(std::lround(offset)) + up;
            if (factor < 0 || factor > UINT16_MAX) continue;
            factor_[index] = static_cast<uint16_t>(factor);
            plus_[index] = static_cast<uint16_t>(std::max(sum, 0));
            minus_[index] = static_cast<uint16_t>(std::max(-sum, 0));
            if (is_right(index, expected)) return true;
        }
    }
    return false;
}

bool ByteMap::is_right(size_t index, const uint8_t *expected) const {
    uint16_t factor[kMapBlock], plus[kMapBlock], minus[kMapBlock];
    std::fill_n(factor, kMapBlock, factor_[index]);
    std::fill_n(plus, kMapBlock, plus_[index]);
    std::fill_n(minus, kMapBlock, minus_[index]);
    uint8_t every[kBytes], mapped[kBytes];
    std::iota(every, every + kBytes, uint8_t{0});
    for (size_t i = 0; i < kBytes; i += kMapBlock) {
        map_bytes({factor, plus, minus, shift_, flip_, false}, every + i, mapped + i, kMapBlock);
    }
    return std::memcmp(mapped, expected, kBytes) == 0;
}

void ByteMap::convert(const uint8_t *from, uint8_t *to, size_t count) const {
    const size_t step = uniform_ ? std::max(count / kMapBlock * kMapBlock, kMapBlock) : period_;
    size_t done = 0;
    for (; done + step <= count; done += step) map_bytes(line(), from + done, to + done, step);
    const size_t left = count - done, whole = left / kMapBlock * kMapBlock;
    map_bytes(line(), from + done, to + done, whole);
    if (left == whole) return;
    // The rest goes through a block of its own.
    uint8_t block[kMapBlock] = {}, mapped[kMapBlock];
    std::memcpy(block, from + done + whole, left - whole);
    map_bytes({factor_ + whole, plus_ + whole, minus_ + whole, shift_, flip_, false}, block, mapped, kMapBlock);
    std::memcpy(to + done + whole, mapped, left - whole);
}

}  // namespace ezr
