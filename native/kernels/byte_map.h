/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes to bytes by a line: uint8 images to quantised inputs.
 *
 * There are only 256 different sources for each channel, so a rule's results can be computed beforehand, and cheaper
 * arithmetic is right if it gives the same 256. The cheaper arithmetic is 16-bit fixed point,
 *
 *     saturate((x * factor / 256 + plus - minus) >> shift)
 *
 * where the sums saturate at 0 and 65535: 16 to 32 bytes at a time, in a dozen instructions. Ties are rounded to even:
 * a slope of p / 2^s, with p odd, has results half way between two numbers where bit s of x says which of the two is
 * even. So if
 *
 *     x + 2 * ((x ^ turn) & 2^s) / 256
 *
 * replaces x, ties go to the upper one where it adds, and elsewhere to the lower one. A line exists for most factors
 * that models have; with others, bytes are looked up one by one. */
#pragma once

#include "kernels/elements.h"

namespace ez_rknn::kernels {

/* The number of elements in a block. */
constexpr size_t map_block = 32;

/* The numbers of the formula, repeating after `period` elements, a whole number of blocks. They are in the order that
 * the loops need, see place_in_line; turn and bit are in the order of the elements. */
struct ByteLine {
    const uint16_t *factor;
    const uint16_t *plus;
    const uint16_t *minus;
    const uint8_t *turn;
    const uint8_t *bit; /* 0: all ties go the same way */
    bool has_ties;      /* some of the bits are not 0 */
    size_t period;
    int shift;    /* 1 to 8 */
    uint8_t flip; /* 0x80 where the destination is int8: the sums count from its smallest value */
};

/* The position of an element's numbers: in each block of four times eight the second and the third eight are swapped.
 * AVX2 unpacks the two halves of a register separately, so the sixteen numbers that it needs together would otherwise
 * be apart. */
constexpr size_t place_in_line(size_t element) {
    return (element & ~size_t{24}) | (element & 8) << 1 | (element & 16) >> 1;
}

/* `count` is a whole number of blocks. `from` and `to` may be the same. */
void map_bytes(const ByteLine &line, const uint8_t *from, uint8_t *to, size_t count);

/* The mapping for a pattern of channels. */
class ByteMap {
  public:
    /* Looks for it, for adjacent channels, from `first` on, of a conversion of uint8 by SCALE, AFFINE or DIVIDE. Takes
     * as long as converting a few thousand elements. */
    void find(const Kinds &kinds, const ezr_conversion &conversion, size_t first, size_t channels);

    /* Not for 16 bits, nor for very many channels. */
    bool is_found() const { return channels_ != 0; }
    /* Converts elements that begin with the first channel. `from` and `to` may be the same. */
    void convert(const uint8_t *from, uint8_t *to, size_t count) const;

  private:
    static constexpr size_t bytes = 256;
    static constexpr size_t most_tables = 16;
    /* The most that these channels can need until one of them begins a block again. */
    static constexpr size_t most_numbers = 512;

    bool find_line(const Kinds &kinds, const ezr_conversion &conversion, size_t first);
    struct Numbers {
        uint16_t factor, plus, minus;
        uint8_t turn, bit;
    };

    bool find_channel(double slope, double offset, size_t channel);
    bool is_right(size_t channel, const Numbers &numbers) const;
    void use(size_t channel, const Numbers &numbers);
    void convert_by_line(const uint8_t *from, uint8_t *to, size_t count) const;
    template <size_t Channels>
    void look_up(const uint8_t *from, uint8_t *to, size_t count) const;

    size_t channels_ = 0;                 /* with factors of their own */
    uint8_t tables_[most_tables * bytes]; /* the result for every byte of each channel */
    ByteLine line_{};                     /* of period 0 where there is none */
    uint16_t factor_[most_numbers];
    uint16_t plus_[most_numbers];
    uint16_t minus_[most_numbers];
    uint8_t turn_[most_numbers];
    uint8_t bit_[most_numbers];
};

}  // namespace ez_rknn::kernels
