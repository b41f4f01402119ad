/* Transposition of matrices: NCHW to NHWC and back.
 *
 * The work is moving bytes, so what counts is to run at the speed of memory. Matrices with two to four rows or columns
 * (RGB, RGBA) are interleaved by plain loops, which compilers turn into the machine's own instructions for that; all
 * others go through tiles that are transposed in registers. */
#include <algorithm>
#include <cstdint>
#include <cstring>

#include "ez_rknn_engine.h"
#include "tile.h"

namespace ezr {
namespace {

/* One matrix, dense: dst[c][r] = src[r][c]. */
template <typename Element>
struct Matrix {
    /* The host's buffers may hold any type and start anywhere. */
    typedef Element Cell __attribute__((aligned(1), may_alias));

    const Cell *src;
    Cell *dst;
    size_t rows;
    size_t columns;
};

/* ---- Two to four rows or columns ---- */

/* Planes to pixels: `Rows` rows. */
template <size_t Rows, typename Element>
EZR_INLINE void interleave(const Matrix<Element> &matrix) {
    const typename Matrix<Element>::Cell *__restrict src = matrix.src;
    typename Matrix<Element>::Cell *__restrict dst = matrix.dst;
    const size_t columns = matrix.columns;
    for (size_t c = 0; c < columns; ++c) {
        for (size_t r = 0; r < Rows; ++r) dst[c * Rows + r] = src[r * columns + c];
    }
}

/* Pixels to planes: `Columns` columns. */
template <size_t Columns, typename Element>
EZR_INLINE void deinterleave(const Matrix<Element> &matrix) {
    const typename Matrix<Element>::Cell *__restrict src = matrix.src;
    typename Matrix<Element>::Cell *__restrict dst = matrix.dst;
    const size_t rows = matrix.rows;
    for (size_t r = 0; r < rows; ++r) {
        for (size_t c = 0; c < Columns; ++c) dst[c * rows + r] = src[r * Columns + c];
    }
}

/* Returns whether the matrix was of this kind. */
template <typename Element>
EZR_INLINE bool transpose_pixels(const Matrix<Element> &matrix) {
    if (matrix.rows == 2) return interleave<2>(matrix), true;
    if (matrix.rows == 3) return interleave<3>(matrix), true;
    if (matrix.rows == 4) return interleave<4>(matrix), true;
    if (matrix.columns == 2) return deinterleave<2>(matrix), true;
    if (matrix.columns == 3) return deinterleave<3>(matrix), true;
    if (matrix.columns == 4) return deinterleave<4>(matrix), true;
    return false;
}

template <typename Element>
bool transpose_pixels_portably(const Matrix<Element> &matrix) {
    return transpose_pixels(matrix);
}

#if defined(__x86_64__)
/* The same loops, where the compiler may use pshufb: three channels of bytes are four to seven times as fast as with
 * what every x86-64 has (AVX2 gains nothing more). Arm has instructions for this in its base set. */
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
            matrix.dst[c * matrix.rows + r] = matrix.src[r * matrix.columns + c];
        }
    }
}

/* The position of the tile that starts at `at`, moved back at the edge so that it lies inside: an overlap is written
 * twice, with the same values. */
template <typename Element>
size_t inside(size_t at, size_t extent) {
    return std::min(at, extent - Tile<Element>::kSide);
}

/* Fewer rows than a tile has. The stores are as wide as the tile all the same: what one writes too much is written
 * properly by the next, and where there is no next, the tile goes through a buffer. */
template <typename Element>
void transpose_few_rows(const Matrix<Element> &matrix) {
    constexpr size_t kSide = Tile<Element>::kSide;
    const auto [src, dst, rows, columns] = matrix;
    for (size_t at = 0; at < columns; at += kSide) {
        const size_t c = inside<Element>(at, columns);
        Tile<Element> tile;
        tile.load(src + c, columns, rows);
        tile.transpose();
        if ((c + kSide - 1) * rows + kSide <= rows * columns) {
            tile.store(dst + c * rows, rows);
        } else {
            Element buffer[kSide * kSide];
            tile.store(buffer, rows);
            std::memcpy(dst + c * rows, buffer, kSide * rows * sizeof(Element));
        }
    }
}

/* Fewer columns than a tile has: the same with wide loads. */
template <typename Element>
void transpose_few_columns(const Matrix<Element> &matrix) {
    constexpr size_t kSide = Tile<Element>::kSide;
    const auto [src, dst, rows, columns] = matrix;
    for (size_t at = 0; at < rows; at += kSide) {
        const size_t r = inside<Element>(at, rows);
        Tile<Element> tile;
        if ((r + kSide - 1) * columns + kSide <= rows * columns) {
            tile.load(src + r * columns, columns);
        } else {
            Element buffer[kSide * kSide] = {};
            std::memcpy(buffer, src + r * columns, kSide * columns * sizeof(Element));
            tile.load(buffer, columns);
        }
        tile.transpose();
        tile.store(dst + r, rows, columns);
    }
}

/* Tiles in blocks of a cache line by a cache line, so that a line is done with before it leaves the cache. */
template <typename Element>
void transpose_in_tiles(const Matrix<Element> &matrix) {
    constexpr size_t kSide = Tile<Element>::kSide;
    constexpr size_t kBlock = 64 / sizeof(Element);
    const auto [src, dst, rows, columns] = matrix;
    for (size_t block_c = 0; block_c < columns; block_c += kBlock) {
        for (size_t block_r = 0; block_r < rows; block_r += kBlock) {
            for (size_t at_r = block_r; at_r < std::min(block_r + kBlock, rows); at_r += kSide) {
                const size_t r = inside<Element>(at_r, rows);
                for (size_t at_c = block_c; at_c < std::min(block_c + kBlock, columns); at_c += kSide) {
                    const size_t c = inside<Element>(at_c, columns);
                    Tile<Element> tile;
                    tile.load(src + r * columns + c, columns);
                    tile.transpose();
                    tile.store(dst + c * rows + r, rows);
                }
            }
        }
    }
}

template <typename Element>
void transpose(const Matrix<Element> &matrix) {
    constexpr size_t kSide = Tile<Element>::kSide;
    const auto [src, dst, rows, columns] = matrix;
    if (rows == 1 || columns == 1) {
        std::memcpy(dst, src, rows * columns * sizeof(Element));
    } else if (transpose_pixels_best(matrix)) {
        return;
    } else if (rows < kSide && columns < kSide) {
        transpose_element_by_element(matrix);
    } else if (rows < kSide) {
        transpose_few_rows(matrix);
    } else if (columns < kSide) {
        transpose_few_columns(matrix);
    } else {
        transpose_in_tiles(matrix);
    }
}

template <typename Element>
void transpose_all(const void *src, void *dst, size_t outer, size_t rows, size_t columns) {
    using Cell = typename Matrix<Element>::Cell;
    Matrix<Element> matrix{static_cast<const Cell *>(src), static_cast<Cell *>(dst), rows, columns};
    for (size_t o = 0; o < outer; ++o) {
        transpose(matrix);
        matrix.src += rows * columns;
        matrix.dst += rows * columns;
    }
}

/* Whether so many elements can exist at all. */
bool is_addressable(size_t outer, size_t rows, size_t columns, size_t element_size) {
    size_t bytes = 0;
    return !__builtin_mul_overflow(outer, rows, &bytes) && !__builtin_mul_overflow(bytes, columns, &bytes) &&
           !__builtin_mul_overflow(bytes, element_size, &bytes);
}

}  // namespace
}  // namespace ezr

extern "C" __attribute__((visibility("default"))) int32_t ezr_transpose(const void *src, void *dst, size_t outer,
                                                                        size_t rows, size_t columns,
                                                                        uint32_t element_size) {
    if (!ezr::is_addressable(outer, rows, columns, element_size)) return EZR_INVALID;
    const bool is_empty = outer == 0 || rows == 0 || columns == 0;
    if (!is_empty && (src == nullptr || dst == nullptr)) return EZR_INVALID;
    if (is_empty) outer = 0;
    switch (element_size) {
        case 1:
            return ezr::transpose_all<uint8_t>(src, dst, outer, rows, columns), EZR_OK;
        case 2:
            return ezr::transpose_all<uint16_t>(src, dst, outer, rows, columns), EZR_OK;
        case 4:
            return ezr::transpose_all<uint32_t>(src, dst, outer, rows, columns), EZR_OK;
        case 8:
            return ezr::transpose_all<uint64_t>(src, dst, outer, rows, columns), EZR_OK;
        default:
            return EZR_INVALID;
    }
}
