/* Bytes to bytes by a line: uint8 images to quantised inputs.
 *
 * There are only 256 different sources for each channel, so what a rule makes of them can be known beforehand, and a
 * cheaper way is right if it gives the same 256 results. The cheaper way is 16-bit fixed point,
 *
 *     saturate((x * factor / 256 + plus - minus) >> shift)
 *
 * where the sums saturate at 0 and 65535: 16 to 32 bytes at a time, in a dozen instructions. It exists for most factors
 * that models have (not for those with a tie: those are rounded to even). */
#ifndef EZ_RKNN_BYTE_MAP_H
#define EZ_RKNN_BYTE_MAP_H

#include "elements.h"

namespace ezr {

/* The numbers of the formula, one for each element of a run. */
struct ByteLine {
    const uint16_t *factor;
    const uint16_t *plus;
    const uint16_t *minus;
    int shift;    /* 1 to 8 */
    uint8_t flip; /* 0x80 where the destination is int8: the sums count from its least value */
    bool uniform; /* the numbers are the same for all elements, of which there may be more than numbers then */
};

/* `count` is a multiple of kMapBlock. */
constexpr size_t kMapBlock = 32;
void map_bytes(const ByteLine &line, const uint8_t *from, uint8_t *to, size_t count);

/* The formula for a pattern of channels, where there is one. */
class ByteMap {
  public:
    /* Looks for it: for the channels of a conversion of uint8 by SCALE, AFFINE or DIVIDE from `first` on, that lie side
     * by side. Takes the time that converting a few thousand elements takes. */
    void find(const Kinds &kinds, const ezr_conversion &conversion, size_t first, size_t channels);

    bool is_found() const { return period_ != 0; }
    /* Converts elements that begin with the first channel. */
    void convert(const uint8_t *from, uint8_t *to, size_t count) const;

  private:
    /* Whole numbers of blocks and of three channels. */
    static constexpr size_t kMost = 768;

    bool find_channel(const Kinds &kinds, const ezr_conversion &conversion, size_t channel, size_t index);
    bool is_right(size_t index, const uint8_t *expected) const;
    ByteLine line() const { return {factor_, plus_, minus_, shift_, flip_, uniform_}; }

    size_t period_ = 0;
    int shift_ = 0;
    uint8_t flip_ = 0;
    bool uniform_ = false;
    uint16_t factor_[kMost];
    uint16_t plus_[kMost];
    uint16_t minus_[kMost];
};

}  // namespace ezr

#endif
