/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of channels, sixteen bytes a pixel, to planes of float32: the conversion of the NPU's outputs.
 *
 * A tile is transposed in registers, and each of its channels is converted before it is stored, so that a source is
 * read once and a destination written once. */
#pragma once

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "kernels/elements.h"
#include "kernels/reals.h"
#include "kernels/rules.h"
#include "kernels/tile.h"

namespace ez_rknn::kernels {

/* Bytes of a pixel in a block, and of a row in a tile. */
constexpr size_t block_bytes = 16;

/* One block and the destination of its channels. There are at least as many pixels as a tile has rows. */
struct Spread {
    const char *from;
    float *to;
    size_t plane; /* elements from one plane to the next */
    size_t channels;
    size_t pixels;
    /* The rule's: one pair for all channels, or one for each. */
    const double *a;
    const double *b;
    bool each;
};

/* Converts from int8, uint8 and float16, by a rule between reals. */
void spread_block(const Kinds &kinds, const Spread &spread);

namespace {

/* No more than `Most` channels. */
template <typename Rule, typename Element, size_t Most>
EZ_RKNN_INLINE void spread_tiles(const Spread &spread) {
    using Cells = Tile<std::make_unsigned_t<Element>>;
    constexpr size_t side = Cells::side;
    const auto [from, to, plane, channels, pixels, all_a, all_b, each] = spread;
    float a[Most], b[Most];
    for (size_t i = 0; i < channels; ++i) {
        a[i] = static_cast<float>(all_a[each ? i : 0]);
        b[i] = static_cast<float>(all_b[each ? i : 0]);
    }
    for (size_t next = 0; next < pixels; next += side) {
        // The last tile overlaps the one before, and writes the same values.
        const size_t at = std::min(next, pixels - side);
        Cells tile;
        tile.load(from + at * block_bytes, side);
        tile.transpose();
        Element columns[Most][side];
        tile.template store<Most>(columns, side);
        for (size_t i = 0; i < Most && i < channels; ++i) {
            for (size_t j = 0; j < side; j += reals_at_once) {
                const Reals reals = Rule::of(widened(columns[i] + j), a[i], b[i]);
                std::memcpy(to + i * plane + at + j, &reals, sizeof reals);
            }
        }
    }
}

template <typename Rule, typename Element>
EZ_RKNN_INLINE void spread_by(const Spread &spread) {
    constexpr size_t side = block_bytes / sizeof(Element);
    // For images and scores there is less to transpose.
    if (spread.channels <= side / 4) return spread_tiles<Rule, Element, side / 4>(spread);
    spread_tiles<Rule, Element, side>(spread);
}

EZ_RKNN_INLINE void spread_all(const Kinds &kinds, const Spread &spread) {
    if (kinds.rule == EZR_RULE_NORMALISE) return spread_by<Normalise, uint16_t>(spread);
    if (kinds.from == RKNN_TENSOR_INT8) return spread_by<Dequantise, int8_t>(spread);
    spread_by<Dequantise, uint8_t>(spread);
}

}  // namespace
}  // namespace ez_rknn::kernels
