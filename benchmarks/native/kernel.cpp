/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels' bandwidth, compared with memcpy on the same buffers: ezr_kernel_bench. */
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <vector>

#include "ez_rknn_engine.h"

namespace {

/* Returns the best of several rounds, in bytes per nanosecond, which is GB/s. */
template <typename Function>
double gigabytes_per_second(size_t bytes, Function function) {
    constexpr int rounds = 15;
    constexpr size_t bytes_per_round = 20'000'000;
    const size_t repeats = bytes_per_round / bytes + 1;
    double best = 0;
    for (int round = 0; round < rounds; ++round) {
        const auto start = std::chrono::steady_clock::now();
        for (size_t i = 0; i < repeats; ++i) function();
        const std::chrono::duration<double, std::nano> elapsed = std::chrono::steady_clock::now() - start;
        best = std::max(best, static_cast<double>(bytes * repeats) / elapsed.count());
    }
    return best;
}

void measure(size_t channels, size_t side, uint32_t element_size) {
    const size_t pixels = side * side, bytes = channels * pixels * element_size;
    const std::vector<unsigned char> src(bytes, 1);
    std::vector<unsigned char> dst(bytes);
    const double copy = gigabytes_per_second(bytes, [&] {
        std::memcpy(dst.data(), src.data(), bytes);
        asm volatile("" : : "r"(dst.data()) : "memory");
    });
    const double to_nhwc =
        gigabytes_per_second(bytes, [&] { ezr_transpose(src.data(), dst.data(), 1, channels, pixels, element_size); });
    const double to_nchw =
        gigabytes_per_second(bytes, [&] { ezr_transpose(src.data(), dst.data(), 1, pixels, channels, element_size); });
    std::printf("1x%zux%zux%zu, %u-byte elements: %12.1f %12.1f (%3.0f %%) %8.1f (%3.0f %%)\n", channels, side, side,
                element_size, copy, to_nhwc, 100 * to_nhwc / copy, to_nchw, 100 * to_nchw / copy);
}

}  // namespace

int main() {
    std::puts("GB/s                                   memcpy   NCHW to NHWC       NHWC to NCHW");
    for (const uint32_t element_size : {1U, 2U, 4U, 8U}) {
        for (const size_t channels : {1, 3, 4}) {
            for (const size_t side : {224, 640}) measure(channels, side, element_size);
        }
        for (const size_t channels : {5, 20, 64, 255}) measure(channels, 80, element_size);
    }
}
