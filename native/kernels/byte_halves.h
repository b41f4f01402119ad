/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes to halves: uint8 images for float16 models, by NORMALISE.
 *
 * A division takes longer than everything else together. But there are only 256 different sources for each channel, so
 * whether multiplying by the reciprocal, or by a number next to it, gives the same halves can be checked beforehand. It
 * mostly does: a half has 13 bits fewer than the float that is rounded to it. */
#pragma once

#include "kernels/elements.h"

namespace ez_rknn::kernels {

/* (x - mean) / deviation or, with `divides` false, (x - mean) * deviation, where `deviation` is a reciprocal. The
 * numbers repeat after `period` elements, a multiple of eight. */
struct HalfLine {
    const float *mean;
    const float *deviation;
    size_t period;
    bool divides;
};

void bytes_to_halves(const HalfLine &line, const uint8_t *from, void *to, size_t count);

/* The numbers for a pattern of channels. */
class ByteHalves {
  public:
    /* For adjacent channels, from `first` on, of a conversion of uint8 to float16 by NORMALISE. */
    void find(const Kinds &kinds, const ezr_conversion &conversion, size_t first, size_t channels);

    /* Not for very many channels. */
    bool is_found() const { return line_.period != 0; }
    /* Converts elements that begin with the first channel. */
    void convert(const uint8_t *from, void *to, size_t count) const { bytes_to_halves(line_, from, to, count); }

  private:
    static constexpr size_t most = 256;
    static constexpr size_t most_channels = 16;

    HalfLine line_{};
    float mean_[most];
    float deviation_[most];
};

}  // namespace ez_rknn::kernels
