/* SPDX-License-Identifier: Apache-2.0 */
/* A square tile of elements, one 16-byte vector a row, and its transposition in registers.
 *
 * Written with the compiler's portable vectors: the interleaving below becomes punpckl/punpckh on x86 (SSE2, which
 * every x86-64 has) and zip1/zip2 on Arm. */
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#include "common/inline.h"

namespace ez_rknn::kernels {

/* `Element` is an unsigned integer of 1, 2, 4 or 8 bytes. Nothing here needs more alignment than a byte. */
template <typename Element>
class Tile {
  public:
    /* Elements of a vector: rows before the transposition, columns after it. */
    static constexpr size_t side = 16 / sizeof(Element);

    /* Reads the first `rows` rows, each `stride` elements after the one before; the others are zero. */
    EZ_RKNN_INLINE void load(const void *src, size_t stride, size_t rows = side) {
        for (size_t i = 0; i < rows; ++i)
            std::memcpy(&rows_[i], static_cast<const char *>(src) + i * stride * sizeof(Element), sizeof(Vector));
        for (size_t i = rows; i < side; ++i) rows_[i] = Vector{};
    }

    /* Writes the first `rows` rows, of no more than `Most`, in ascending order. */
    template <size_t Most = side>
    EZ_RKNN_INLINE void store(void *dst, size_t stride, size_t rows = Most) const {
        for (size_t i = 0; i < Most; ++i) {
            if (i == rows) return;
            std::memcpy(static_cast<char *>(dst) + i * stride * sizeof(Element), &rows_[i], sizeof(Vector));
        }
    }

    /* Each round interleaves the upper half of the vectors with the lower half, which moves one bit of an element's row
     * number behind its column number; after log2(side) rounds the two numbers are swapped. */
    EZ_RKNN_INLINE void transpose() {
        for (size_t round = 1; round < side; round *= 2) {
            Vector interleaved[side];
            for (size_t i = 0; i < side / 2; ++i) {
                interleaved[2 * i] = interleave<0>(rows_[i], rows_[i + side / 2], Lanes());
                interleaved[2 * i + 1] = interleave<side / 2>(rows_[i], rows_[i + side / 2], Lanes());
            }
            for (size_t i = 0; i < side; ++i) rows_[i] = interleaved[i];
        }
    }

  private:
    typedef Element Vector __attribute__((vector_size(16)));
    using Lanes = std::make_index_sequence<side>;

    /* Interleaves the elements of a and b, from the element `First` on: a[First], b[First], a[First + 1], ... */
    template <size_t First, size_t... Lane>
    static EZ_RKNN_INLINE Vector interleave(Vector a, Vector b, std::index_sequence<Lane...>) {
#if defined(__clang__)
        return __builtin_shufflevector(a, b, (First + Lane / 2 + Lane % 2 * side)...);
#else
        constexpr Vector order = {static_cast<Element>(First + Lane / 2 + Lane % 2 * side)...};
        return __builtin_shuffle(a, b, order);
#endif
    }

    Vector rows_[side];
};

}  // namespace ez_rknn::kernels
