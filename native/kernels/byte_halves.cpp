/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/byte_halves.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "kernels/factors.h"

namespace ez_rknn::kernels {
namespace {

constexpr size_t bytes = 256;
constexpr size_t eight = 8;

/* A factor that can replace the channel's division for every byte; 0: there is none. */
float find_factor(const Kinds &kinds, const ezr_conversion &conversion, size_t channel, float mean, float deviation) {
    const ChannelFactors channel_factors(conversion, channel);
    uint8_t every[bytes];
    uint16_t expected[bytes], actual[bytes];
    std::iota(every, every + bytes, uint8_t{0});
    convert_elements(kinds, every, expected, bytes, channel_factors.factors());
    const float reciprocal = 1 / deviation;
    for (const float factor :
         {reciprocal, std::nextafter(reciprocal, INFINITY), std::nextafter(reciprocal, -INFINITY)}) {
        float means[eight], factors[eight];
        std::fill_n(means, eight, mean);
        std::fill_n(factors, eight, factor);
        bytes_to_halves({means, factors, eight, false}, every, actual, bytes);
        if (std::memcmp(actual, expected, sizeof expected) == 0) return factor;
    }
    return 0;
}

}  // namespace

void ByteHalves::find(const Kinds &kinds, const ezr_conversion &conversion, size_t first, size_t channels) {
    const size_t different = conversion.channels == 1 ? 1 : channels;
    if (different > most_channels) return;
    const size_t period = std::lcm(different, eight);
    line_ = {mean_, deviation_, most / period * period, false};
    float factors[most_channels];
    for (size_t i = 0; i < different; ++i) {
        const size_t index = conversion.channels == 1 ? 0 : first + i;
        mean_[i] = static_cast<float>(conversion.a[index]);
        deviation_[i] = static_cast<float>(conversion.b[index]);
        factors[i] = find_factor(kinds, conversion, first + i, mean_[i], deviation_[i]);
        line_.divides = line_.divides || factors[i] == 0;
    }
    if (!line_.divides) std::copy_n(factors, different, deviation_);
    for (size_t i = different; i < line_.period; ++i) {
        mean_[i] = mean_[i - different];
        deviation_[i] = deviation_[i - different];
    }
}

}  // namespace ez_rknn::kernels
