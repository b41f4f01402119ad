/* SPDX-License-Identifier: Apache-2.0 */
/* The transposition kernel, compared with its definition. */
#include <cstring>
#include <memory>
#include <numeric>

#include "ez_rknn_engine.h"
#include "tests/check.h"

using namespace ez_rknn::tests;

namespace {

constexpr uint32_t sizes[] = {1, 2, 4, 8};

/* dst[o][c][r] = src[o][r][c], byte by byte. */
std::vector<uint8_t> transposed(const std::vector<uint8_t> &src, size_t outer, size_t rows, size_t columns,
                                size_t element_size) {
    std::vector<uint8_t> dst(src.size());
    for (size_t o = 0; o < outer; ++o) {
        for (size_t r = 0; r < rows; ++r) {
            for (size_t c = 0; c < columns; ++c) {
                std::memcpy(&dst[((o * columns + c) * rows + r) * element_size],
                            &src[((o * rows + r) * columns + c) * element_size], element_size);
            }
        }
    }
    return dst;
}

/* Bytes in which any sixteen in a row occur only once. */
std::vector<uint8_t> pattern(size_t size) {
    std::vector<uint8_t> bytes(size);
    uint32_t state = 1;
    for (uint8_t &byte : bytes) {
        state = state * 1664525 + 1013904223;
        byte = static_cast<uint8_t>(state >> 24);
    }
    return bytes;
}

/* Compares a result with the definition. The buffers are on the heap and exactly as large as the matrices, so that the
 * address sanitizer sees every access beyond them. */
bool is_right(size_t outer, size_t rows, size_t columns, uint32_t element_size) {
    const std::vector<uint8_t> src = pattern(outer * rows * columns * element_size);
    std::vector<uint8_t> dst(src.size(), 0xEE);
    dst.shrink_to_fit();
    const int32_t status = ezr_transpose(src.data(), dst.data(), outer, rows, columns, element_size);
    return status == EZR_OK && dst == transposed(src, outer, rows, columns, element_size);
}

void check_all(const std::vector<size_t> &rows, const std::vector<size_t> &columns, size_t outer) {
    for (uint32_t size : sizes) {
        for (size_t r : rows) {
            for (size_t c : columns) {
                if (is_right(outer, r, c, size)) continue;
                std::fprintf(stderr, "%zu x %zu x %zu of %u bytes\n", outer, r, c, size);
                CHECK(false);
            }
        }
    }
}

std::vector<size_t> up_to(size_t last) {
    std::vector<size_t> numbers(last);
    std::iota(numbers.begin(), numbers.end(), size_t{1});
    return numbers;
}

}  // namespace

/* Every small shape: rows and columns short of a tile, or exceeding it, by every amount. */
TEST(every_shape_up_to_forty_by_forty_is_transposed) {
    check_all(up_to(40), up_to(40), 2);
}

/* Shapes around the edges of the blocks of tiles. */
TEST(shapes_around_the_edges_of_blocks_are_transposed) {
    const std::vector<size_t> edges = {8, 15, 16, 17, 31, 33, 63, 64, 65, 79, 127, 128, 129, 200};
    check_all(edges, edges, 1);
}

/* Images, in both directions. */
TEST(images_are_transposed) {
    const std::vector<size_t> channels = {1, 2, 3, 4, 5, 8, 12, 16, 20, 64}, pixels = {224 * 3, 99 * 11, 1021};
    check_all(channels, pixels, 2);
    check_all(pixels, channels, 2);
}

/* Nothing is written outside the destination: without a sanitizer, guard bytes show it. */
TEST(nothing_is_written_beside_the_destination) {
    constexpr size_t guard = 64;
    for (uint32_t size : sizes) {
        for (size_t rows : {2, 3, 4, 5, 7, 9, 15, 16, 17, 33}) {
            for (size_t columns : {3, 5, 16, 17, 50}) {
                const std::vector<uint8_t> src = pattern(rows * columns * size);
                std::vector<uint8_t> dst(src.size() + 2 * guard, 0xEE);
                CHECK_EQ(ezr_transpose(src.data(), dst.data() + guard, 1, rows, columns, size), EZR_OK);
                for (size_t i = 0; i < guard; ++i) CHECK(dst[i] == 0xEE && dst[dst.size() - 1 - i] == 0xEE);
            }
        }
    }
}

/* Buffers need no alignment: a view into an array may start anywhere. */
TEST(unaligned_buffers_are_accepted) {
    for (uint32_t size : sizes) {
        for (size_t rows : {3, 4, 7, 20}) {
            const std::vector<uint8_t> src = pattern(rows * 50 * size);
            std::vector<uint8_t> shifted(src.size() + 1), dst(src.size() + 3);
            std::memcpy(shifted.data() + 1, src.data(), src.size());
            CHECK_EQ(ezr_transpose(shifted.data() + 1, dst.data() + 3, 1, rows, 50, size), EZR_OK);
            CHECK(std::vector<uint8_t>(dst.begin() + 3, dst.end()) == transposed(src, 1, rows, 50, size));
        }
    }
}

/* Two transpositions restore the matrix. */
TEST(transposing_twice_is_the_identity) {
    const std::vector<uint8_t> src = pattern(3 * 640 * 480 * 4);
    std::vector<uint8_t> pixels(src.size()), planes(src.size());
    CHECK_EQ(ezr_transpose(src.data(), pixels.data(), 1, 3, 640 * 480, 4), EZR_OK);
    CHECK_EQ(ezr_transpose(pixels.data(), planes.data(), 1, 640 * 480, 3, 4), EZR_OK);
    CHECK(planes == src);
}

/* Matrices without elements are no error, and their pointers are not followed. */
TEST(empty_matrices_are_accepted) {
    CHECK_EQ(ezr_transpose(nullptr, nullptr, 0, 3, 3, 4), EZR_OK);
    CHECK_EQ(ezr_transpose(nullptr, nullptr, 3, 0, 3, 4), EZR_OK);
    CHECK_EQ(ezr_transpose(nullptr, nullptr, 3, 3, 0, 4), EZR_OK);
}

/* Impossible matrices are refused. */
TEST(impossible_matrices_are_refused) {
    uint8_t src[16] = {}, dst[16];
    for (uint32_t size : {0U, 3U, 5U, 16U}) CHECK_EQ(ezr_transpose(src, dst, 1, 1, 1, size), EZR_INVALID);
    CHECK_EQ(ezr_transpose(nullptr, dst, 1, 2, 2, 4), EZR_INVALID);
    CHECK_EQ(ezr_transpose(src, nullptr, 1, 2, 2, 4), EZR_INVALID);
    CHECK_EQ(ezr_transpose(src, dst, SIZE_MAX, 2, 2, 4), EZR_INVALID);
    CHECK_EQ(ezr_transpose(src, dst, 1, SIZE_MAX / 2, 1, 8), EZR_INVALID);
}
