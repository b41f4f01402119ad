/* SPDX-License-Identifier: Apache-2.0 */
/* Transposition of matrices: NCHW to NHWC and back.
 *
 * The work is moving bytes, so the goal is the speed of memory. Matrices with two to four rows or columns (RGB, RGBA)
 * are interleaved by plain loops, which compilers turn into the machine's own instructions for that; all others go
 * through tiles that are transposed in registers. */
#include "kernels/transpose.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "ez_rknn_engine.h"
#include "kernels/tile.h"

namespace ez_rknn::kernels {
namespace {

/* One matrix: dst[c][r] = src[r][c], with rows the given number of elements apart. */
template <typename Element>
struct Matrix {
    /* The host's buffers may hold any type and start anywhere. */
    typedef Element Cell __attribute__((aligned(1), may_alias));

    const Cell *src;
    Cell *dst;
    size_t rows;
    size_t columns;
    size_t src_stride;
    size_t dst_stride;
};

/* ---- Two to four rows or columns ---- */

/* Planes to pixels: `Rows` rows; the pixels are adjacent. */
template <size_t Rows, typename Element>
EZ_RKNN_INLINE void interleave(const Matrix<Element> &matrix) {
    const typename Matrix<Element>::Cell *__restrict src = matrix.src;
    typename Matrix<Element>::Cell *__restrict dst = matrix.dst;
    const size_t columns = matrix.columns, stride = matrix.src_stride;
    for (size_t c = 0; c < columns; ++c) {
        for (size_t r = 0; r < Rows; ++r) dst[c * Rows + r] = src[r * stride + c];
    }
}

/* Adjacent pixels to planes: `Columns` columns. */
template <size_t Columns, typename Element>
EZ_RKNN_INLINE void deinterleave(const Matrix<Element> &matrix) {
    const typename Matrix<Element>::Cell *__restrict src = matrix.src;
    typename Matrix<Element>::Cell *__restrict dst = matrix.dst;
    const size_t rows = matrix.rows, stride = matrix.dst_stride;
    for (size_t r = 0; r < rows; ++r) {
        for (size_t c = 0; c < Columns; ++c) dst[c * stride + r] = src[r * Columns + c];
    }
}

/* Transposes a matrix of this kind. Returns false for any other. */
template <typename Element>
EZ_RKNN_INLINE bool transpose_pixels(const Matrix<Element> &matrix) {
    if (matrix.rows == matrix.dst_stride) {
        if (matrix.rows == 2) return interleave<2>(matrix), true;
        if (matrix.rows == 3) return interleave<3>(matrix), true;
        if (matrix.rows == 4) return interleave<4>(matrix), true;
    }
    if (matrix.columns == matrix.src_stride) {
        if (matrix.columns == 2) return deinterleave<2>(matrix), true;
        if (matrix.columns == 3) return deinterleave<3>(matrix), true;
        if (matrix.columns == 4) return deinterleave<4>(matrix), true;
    }
    return false;
}

template <typename Element>
bool transpose_pixels_portably(const Matrix<Element> &matrix) {
    return transpose_pixels(matrix);
}

#if defined(__x86_64__)
/* The same loops, where the compiler may use pshufb: three channels of bytes are four to seven times as fast as with
 * the x86-64 baseline (AVX2 gains nothing more). Arm has instructions for this in its base set. */
template <typename Element>
__attribute__((target("ssse3"))) bool transpose_pixels_ssse3(const Matrix<Element> &matrix) {
    return transpose_pixels(matrix);
}
#endif

template <typename Element>
bool transpose_pixels_best(const Matrix<Element> &matrix) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("ssse3")) return transpose_pixels_ssse3(matrix);
#endif
    return transpose_pixels_portably(matrix);
}

/* ---- Everything else ---- */

template <typename Element>
void transpose_element_by_element(const Matrix<Element> &matrix) {
    for (size_t r = 0; r < matrix.rows; ++r) {
        for (size_t c = 0; c < matrix.columns; ++c) {
            matrix.dst[c * matrix.dst_stride + r] = matrix.src[r * matrix.src_stride + c];
        }
    }
}

/* The position of the tile that starts at `at`, moved back at the edge so that it lies inside: an overlap is written
 * twice, with the same values. */
template <typename Element>
size_t inside(size_t at, size_t extent) {
    return std::min(at, extent - Tile<Element>::side);
}

/* Fewer rows than a tile has. Where the destination's rows are contiguous, the stores are as wide as the tile all the
 * same: the next store overwrites the excess of the one before. The last store, and those between rows that are apart,
 * go through a buffer. */
template <typename Element>
void transpose_few_rows(const Matrix<Element> &matrix) {
    constexpr size_t side = Tile<Element>::side;
    const auto [src, dst, rows, columns, src_stride, dst_stride] = matrix;
    for (size_t at = 0; at < columns; at += side) {
        const size_t c = inside<Element>(at, columns);
        Tile<Element> tile;
        tile.load(src + c, src_stride, rows);
        tile.transpose();
        if (dst_stride == rows && (c + side - 1) * rows + side <= rows * columns) {
            tile.store(dst + c * rows, rows);
        } else {
            Element buffer[side * side];
            tile.store(buffer, side);
            for (size_t i = 0; i < side; ++i) {
                std::memcpy(dst + (c + i) * dst_stride, buffer + i * side, rows * sizeof(Element));
            }
        }
    }
}

/* At most `Most` columns. Rows are read as wide as the tile where possible; the compiler leaves out the part of the
 * transposition that is not stored. */
template <size_t Most, typename Element>
void transpose_columns(const Matrix<Element> &matrix) {
    constexpr size_t side = Tile<Element>::side;
    const auto [src, dst, rows, columns, src_stride, dst_stride] = matrix;
    const size_t end = (rows - 1) * src_stride + columns;
    // The first row from which a tile's last row would be read beyond the end.
    const size_t reach = (side - 1) * src_stride + side;
    const size_t wide = end < reach ? 0 : (end - reach) / src_stride + 1;
    for (size_t at = 0; at < rows; at += side) {
        const size_t r = inside<Element>(at, rows);
        Tile<Element> tile;
        if (r < wide) {
            tile.load(src + r * src_stride, src_stride);
        } else {
            Element buffer[side * side] = {};
            for (size_t i = 0; i < side; ++i) {
                std::memcpy(buffer + i * side, src + (r + i) * src_stride, columns * sizeof(Element));
            }
            tile.load(buffer, side);
        }
        tile.transpose();
        tile.template store<Most>(dst + r, dst_stride, columns);
    }
}

/* Fewer columns than a tile has. */
template <typename Element>
void transpose_few_columns(const Matrix<Element> &matrix) {
    constexpr size_t side = Tile<Element>::side;
    if (matrix.columns <= side / 4) return transpose_columns<side / 4>(matrix);
    if (matrix.columns <= side / 2) return transpose_columns<side / 2>(matrix);
    transpose_columns<side>(matrix);
}

/* Tiles in blocks of a cache line by a cache line, so that a line is finished before it leaves the cache. */
template <typename Element>
void transpose_in_tiles(const Matrix<Element> &matrix) {
    constexpr size_t side = Tile<Element>::side;
    constexpr size_t block = 64 / sizeof(Element);
    const auto [src, dst, rows, columns, src_stride, dst_stride] = matrix;
    for (size_t block_c = 0; block_c < columns; block_c += block) {
        for (size_t block_r = 0; block_r < rows; block_r += block) {
            for (size_t at_r = block_r; at_r < std::min(block_r + block, rows); at_r += side) {
                const size_t r = inside<Element>(at_r, rows);
                for (size_t at_c = block_c; at_c < std::min(block_c + block, columns); at_c += side) {
                    const size_t c = inside<Element>(at_c, columns);
                    Tile<Element> tile;
                    tile.load(src + r * src_stride + c, src_stride);
                    tile.transpose();
                    tile.store(dst + c * dst_stride + r, dst_stride);
                }
            }
        }
    }
}

template <typename Element>
void transpose_matrix(const Matrix<Element> &matrix) {
    constexpr size_t side = Tile<Element>::side;
    const auto [src, dst, rows, columns, src_stride, dst_stride] = matrix;
    if (rows == 1 && dst_stride == 1) {
        std::memcpy(dst, src, columns * sizeof(Element));
    } else if (columns == 1 && src_stride == 1) {
        std::memcpy(dst, src, rows * sizeof(Element));
    } else if (transpose_pixels_best(matrix)) {
        return;
    } else if (rows < side && columns < side) {
        transpose_element_by_element(matrix);
    } else if (rows < side) {
        transpose_few_rows(matrix);
    } else if (columns < side) {
        transpose_few_columns(matrix);
    } else {
        transpose_in_tiles(matrix);
    }
}

template <typename Element>
void transpose_elements(const void *src, size_t src_stride, void *dst, size_t dst_stride, size_t rows, size_t columns) {
    using Cell = typename Matrix<Element>::Cell;
    transpose_matrix<Element>(
        {static_cast<const Cell *>(src), static_cast<Cell *>(dst), rows, columns, src_stride, dst_stride});
}

/* True if that many elements can be addressed. */
bool is_addressable(size_t outer, size_t rows, size_t columns, size_t element_size) {
    size_t bytes = 0;
    return !__builtin_mul_overflow(outer, rows, &bytes) && !__builtin_mul_overflow(bytes, columns, &bytes) &&
           !__builtin_mul_overflow(bytes, element_size, &bytes);
}

}  // namespace

void transpose(const void *src, size_t src_stride, void *dst, size_t dst_stride, size_t rows, size_t columns,
               size_t element_size) {
    switch (element_size) {
        case 1:
            return transpose_elements<uint8_t>(src, src_stride, dst, dst_stride, rows, columns);
        case 2:
            return transpose_elements<uint16_t>(src, src_stride, dst, dst_stride, rows, columns);
        case 4:
            return transpose_elements<uint32_t>(src, src_stride, dst, dst_stride, rows, columns);
        case 8:
            return transpose_elements<uint64_t>(src, src_stride, dst, dst_stride, rows, columns);
        default:  // no type has elements of another size
            return;
    }
}

}  // namespace ez_rknn::kernels

extern "C" __attribute__((visibility("default"))) int32_t ezr_transpose(const void *src, void *dst, size_t outer,
                                                                        size_t rows, size_t columns,
                                                                        uint32_t element_size) {
    if (element_size != 1 && element_size != 2 && element_size != 4 && element_size != 8) return EZR_INVALID;
    if (!ez_rknn::kernels::is_addressable(outer, rows, columns, element_size)) return EZR_INVALID;
    if (outer == 0 || rows == 0 || columns == 0) return EZR_OK;
    if (src == nullptr || dst == nullptr) return EZR_INVALID;
    const size_t bytes = rows * columns * element_size;
    for (size_t o = 0; o < outer; ++o) {
        ez_rknn::kernels::transpose(static_cast<const char *>(src) + o * bytes, columns,
                                    static_cast<char *>(dst) + o * bytes, rows, rows, columns, element_size);
    }
    return EZR_OK;
}
