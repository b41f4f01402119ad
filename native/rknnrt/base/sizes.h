/* SPDX-License-Identifier: Apache-2.0 */
/* Overflow-free products of sizes from a file, and rounding up to multiples. */
#pragma once

#include <cstdint>

namespace ez_rknn::rknnrt {

/* Sizes are 32-bit numbers in the interface. */
constexpr uint64_t largest_size = 0x7FFFFFFF;

/* The product, or any number above largest_size if it exceeds that. Each factor is below 2^32. */
inline uint64_t times(uint64_t product, uint64_t factor) {
    constexpr uint64_t beyond = largest_size + 1;
    if (factor == 0 || product == 0) return 0;
    return product >= beyond || factor >= beyond || product * factor >= beyond ? beyond : product * factor;
}

template <typename Dims>
uint64_t product_of(const Dims &dims) {
    uint64_t result = 1;
    for (const auto size : dims) result = times(result, static_cast<uint64_t>(size));
    return result;
}

/* Rounds up to a multiple of `alignment`, unless that is 0. */
constexpr uint64_t aligned(uint64_t value, uint64_t alignment) {
    return alignment == 0 ? value : (value + alignment - 1) / alignment * alignment;
}

}  // namespace ez_rknn::rknnrt
