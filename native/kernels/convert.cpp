/* SPDX-License-Identifier: Apache-2.0 */
/* The movement of elements: which are adjacent in both layouts, and which must be made so.
 *
 * A tensor is converted piece by piece: a run of pixels of channels that are in one group of the source and in one of
 * the destination (or, where one of them has planes, in up to most_channels planes). A piece fits into the first-level
 * cache. It is converted while its channels are apart, so that each run has one pair of factors, or else with the
 * factors repeated pixel by pixel. */
#include <algorithm>
#include <cstring>
#include <optional>

#include "ez_rknn_engine.h"
#include "kernels/byte_halves.h"
#include "kernels/byte_map.h"
#include "kernels/factors.h"
#include "kernels/fill.h"
#include "kernels/layout.h"
#include "kernels/spread.h"
#include "kernels/transpose.h"

namespace ez_rknn::kernels {
namespace {

constexpr size_t most_channels = 64;
constexpr size_t buffer_bytes = 16384;

/* The number of pixels from which looking for cheaper arithmetic for bytes pays off. */
constexpr size_t many_pixels = 4096;

/* The arithmetic for adjacent channels converted together: one of these. None for channels converted one by one with
 * factors of their own. */
struct Arithmetic {
    std::optional<PatternFactors> pattern;
    ByteMap bytes;
    ByteHalves halves;
};

class Conversion {
  public:
    Conversion(const ezr_conversion &conversion, const char *from, char *to)
        : conversion_(conversion),
          from_(make_layout(conversion.c, conversion.h, conversion.w, conversion.from)),
          to_(make_layout(conversion.c, conversion.h, conversion.w, conversion.to)),
          source_(from),
          destination_(to),
          kinds_{conversion.rule, conversion.from.type, conversion.to.type, conversion.met_nan},
          copies_(conversion.rule == EZR_RULE_COPY) {}

    void run() {
        for (size_t channel = 0; channel < conversion_.c;) {
            const size_t channels = piece_at(channel);
            convert_channels(channel, channels);
            channel += channels;
        }
    }

  private:
    bool from_planes() const { return from_.group == 1 && to_.group > 1; }
    bool to_planes() const { return to_.group == 1 && from_.group > 1; }

    /* The number of channels, from this one on, that are converted together. */
    size_t piece_at(size_t channel) const {
        size_t end = conversion_.c;
        if (!from_planes()) end = std::min(end, (channel / from_.group + 1) * from_.group);
        if (!to_planes()) end = std::min(end, (channel / to_.group + 1) * to_.group);
        const size_t channels = end - channel;
        const bool whole = from_.group == channels && to_.group == channels;
        return whole ? channels : std::min(channels, most_channels);
    }

    /* Converts all images' pixels of these channels, in runs as long as rows without gaps allow. */
    void convert_channels(size_t channel, size_t channels) const {
        Arithmetic arithmetic;
        prepare(channel, channels, arithmetic);
        const bool one_run = from_.row == conversion_.w && to_.row == conversion_.w;
        const size_t rows = one_run ? 1 : conversion_.h;
        const size_t pixels = one_run ? size_t{conversion_.h} * conversion_.w : conversion_.w;
        for (size_t n = 0; n < conversion_.n; ++n) {
            const char *from = source_ + n * from_.image() * from_.element;
            char *to = destination_ + n * to_.image() * to_.element;
            for (size_t y = 0; y < rows; ++y) {
                convert_run(from + from_.offset(channel, y * from_.row), to + to_.offset(channel, y * to_.row), channel,
                            channels, pixels, arithmetic);
            }
        }
    }

    void prepare(size_t channel, size_t channels, Arithmetic &arithmetic) const {
        if (copies_) return;
        const bool apart = (from_planes() || to_planes()) && conversion_.channels != 1;
        if (has_short_way() && (!apart || meet(channels))) {
            kinds_.to == RKNN_TENSOR_FLOAT16 ? arithmetic.halves.find(kinds_, conversion_, channel, channels)
                                             : arithmetic.bytes.find(kinds_, conversion_, channel, channels);
        }
        const bool is_found = arithmetic.bytes.is_found() || arithmetic.halves.is_found();
        if (!is_found && !apart) arithmetic.pattern.emplace(conversion_, channel, channels);
    }

    bool has_short_way() const {
        if (kinds_.from != RKNN_TENSOR_UINT8 || kinds_.to == RKNN_TENSOR_FLOAT32) return false;
        return size_t{conversion_.n} * conversion_.h * conversion_.w >= many_pixels;
    }

    /* True if planes become pixels with these channels alone. */
    bool meet(size_t channels) const { return from_planes() && to_.group == channels; }

    /* True if blocks become planes of floats in one go. */
    bool can_spread() const {
        if (kinds_.to != RKNN_TENSOR_FLOAT32 || from_.group * from_.element != block_bytes) return false;
        if (kinds_.rule == EZR_RULE_NORMALISE) return kinds_.from == RKNN_TENSOR_FLOAT16;
        return kinds_.rule == EZR_RULE_DEQUANTISE && from_.element == 1;
    }

    void convert_run(const char *from, char *to, size_t channel, size_t channels, size_t pixels,
                     const Arithmetic &arithmetic) const {
        const bool whole = from_.group == channels && to_.group == channels;
        const size_t widest = std::max(from_.element, to_.element);
        // A multiple of 64, for whole vectors, if that many pixels fit.
        const size_t most = buffer_bytes / (channels * widest);
        const size_t step = whole ? pixels : most >= 64 ? most / 64 * 64 : most;
        for (size_t done = 0; done < pixels; done += step) {
            const size_t count = std::min(step, pixels - done);
            const char *here = from + done * from_.group * from_.element;
            char *there = to + done * to_.group * to_.element;
            if (from_planes()) {
                planes_to_pixels(here, there, channel, channels, count, arithmetic);
            } else if (to_planes()) {
                pixels_to_planes(here, there, channel, channels, count, arithmetic);
            } else {
                pixels_to_pixels(here, there, channels, count, arithmetic);
            }
        }
    }

    /* Converts plane by plane, then interleaves; bytes the other way round. */
    void planes_to_pixels(const char *from, char *to, size_t channel, size_t channels, size_t pixels,
                          const Arithmetic &arithmetic) const {
        const size_t from_stride = from_.surface;
        if (copies_) {
            transpose(from, from_stride, to, to_.group, channels, pixels, to_.element);
            return;
        }
        char planes[buffer_bytes];
        const bool is_found = arithmetic.bytes.is_found() || arithmetic.halves.is_found();
        if (is_found && meet(channels)) {
            // One mapping for all channels, though each has factors of its own.
            transpose(from, from_stride, planes, channels, channels, pixels, from_.element);
            return convert_side_by_side(planes, to, channels * pixels, arithmetic);
        }
        for (size_t i = 0; i < channels; ++i) {
            convert_plane(from + i * from_stride * from_.element, planes + i * pixels * to_.element, channel + i,
                          pixels, arithmetic);
        }
        transpose(planes, pixels, to, to_.group, channels, pixels, to_.element);
    }

    /* Splits into planes, then converts plane by plane. */
    void pixels_to_planes(const char *from, char *to, size_t channel, size_t channels, size_t pixels,
                          const Arithmetic &arithmetic) const {
        const size_t to_stride = to_.surface;
        if (copies_) {
            transpose(from, from_.group, to, to_stride, pixels, channels, to_.element);
            return;
        }
        if (can_spread() && pixels * from_.element >= block_bytes) {
            const size_t first = conversion_.channels == 1 ? 0 : channel;
            const Spread spread = {from,
                                   reinterpret_cast<float *>(to),
                                   to_stride,
                                   channels,
                                   pixels,
                                   conversion_.a + first,
                                   conversion_.b + first,
                                   conversion_.channels != 1};
            return spread_block(kinds_, spread);
        }
        char planes[buffer_bytes];
        transpose(from, from_.group, planes, pixels, pixels, channels, from_.element);
        for (size_t i = 0; i < channels; ++i) {
            convert_plane(planes + i * pixels * from_.element, to + i * to_stride * to_.element, channel + i, pixels,
                          arithmetic);
        }
    }

    /* Gathers, converts and scatters; elements already in place are not moved. */
    void pixels_to_pixels(const char *from, char *to, size_t channels, size_t pixels,
                          const Arithmetic &arithmetic) const {
        char gathered[buffer_bytes], converted[buffer_bytes];
        if (from_.group != channels) {
            move_pixels(from, from_.group, copies_ ? to : gathered, copies_ ? to_.group : channels, channels, pixels,
                        from_.element);
            if (copies_) return;
            from = gathered;
        }
        if (to_.group == channels) {
            convert_side_by_side(from, to, channels * pixels, arithmetic);
            return;
        }
        if (!copies_) {
            convert_side_by_side(from, converted, channels * pixels, arithmetic);
            from = converted;
        }
        move_pixels(from, channels, to, to_.group, channels, pixels, to_.element);
    }

    /* Strides are in elements. */
    static void move_pixels(const char *from, size_t from_stride, char *to, size_t to_stride, size_t channels,
                            size_t pixels, size_t element) {
        for (size_t i = 0; i < pixels; ++i) {
            std::memcpy(to + i * to_stride * element, from + i * from_stride * element, channels * element);
        }
    }

    void convert_plane(const char *from, char *to, size_t channel, size_t count, const Arithmetic &arithmetic) const {
        if (conversion_.channels == 1) return convert_side_by_side(from, to, count, arithmetic);
        const ChannelFactors channel_factors(conversion_, channel);
        convert_elements(kinds_, from, to, count, channel_factors.factors());
    }

    void convert_side_by_side(const char *from, char *to, size_t count, const Arithmetic &arithmetic) const {
        if (copies_) {
            std::memcpy(to, from, count * to_.element);
            return;
        }
        if (arithmetic.bytes.is_found()) {
            const auto *bytes = reinterpret_cast<const uint8_t *>(from);
            return arithmetic.bytes.convert(bytes, reinterpret_cast<uint8_t *>(to), count);
        }
        if (arithmetic.halves.is_found()) {
            return arithmetic.halves.convert(reinterpret_cast<const uint8_t *>(from), to, count);
        }
        const PatternFactors &pattern = *arithmetic.pattern;
        const size_t step = pattern.period() == 0 ? count : pattern.period();
        for (size_t done = 0; done < count; done += step) {
            convert_elements(kinds_, from + done * from_.element, to + done * to_.element, std::min(step, count - done),
                             pattern.factors());
        }
    }

    const ezr_conversion &conversion_;
    const ElementLayout from_;
    const ElementLayout to_;
    const char *const source_;
    char *const destination_;
    const Kinds kinds_;
    const bool copies_;
};

}  // namespace
}  // namespace ez_rknn::kernels

extern "C" __attribute__((visibility("default"))) void ezr_convert(const ezr_conversion *conversion, const void *from,
                                                                   void *to) {
    if (ezr_check_conversion(conversion) != EZR_OK) return;
    ez_rknn::kernels::fill_gaps(*conversion, to);
    if (conversion->n == 0 || conversion->c == 0 || conversion->h == 0 || conversion->w == 0) return;
    ez_rknn::kernels::Conversion(*conversion, static_cast<const char *>(from), static_cast<char *>(to)).run();
}
