/* The way of the elements: which lie side by side in both layouts, which must be brought to lie so.
 *
 * A tensor is converted piece by piece: a run of pixels of channels that are in one group of the source and in one of
 * the destination (or, where one of them has planes, in up to kChannels planes). A piece fits into the first-level
 * cache, and is converted where its channels are apart, so that each run has one pair of factors, or else with the
 * factors repeated pixel by pixel. */
#include <algorithm>
#include <cstring>

#include "elements.h"
#include "fill.h"
#include "layout.h"
#include "transpose.h"

namespace ezr {
namespace {

constexpr size_t kChannels = 64;
constexpr size_t kBufferBytes = 16384;
constexpr size_t kPattern = 512;

/* The factors of channels that lie side by side, pixel after pixel: repeated until it pays to begin anew. */
class Pattern {
  public:
    Pattern(const ezr_conversion &conversion, size_t first, size_t channels) {
        if (conversion.rule == EZR_RULE_COPY) return;
        if (conversion.channels == 1) {
            factors_ = {conversion.a, conversion.b, false};
            return;
        }
        factors_ = {conversion.a + first, conversion.b + first, true};
        period_ = channels;
        if (channels > kPattern / 2) return;
        period_ = kPattern / channels * channels;
        for (size_t i = 0; i < period_; ++i) {
            a_[i] = factors_.a[i % channels];
            b_[i] = factors_.b[i % channels];
        }
        factors_ = {a_, b_, true};
    }
    Pattern(const Pattern &) = delete;
    Pattern &operator=(const Pattern &) = delete;

    const Factors &factors() const { return factors_; }
    /* Elements until the factors begin anew; 0: they are all the same. */
    size_t period() const { return period_; }

  private:
    Factors factors_{};
    size_t period_ = 0;
    double a_[kPattern];
    double b_[kPattern];
};

class Conversion {
  public:
    Conversion(const ezr_conversion &conversion, const char *from, char *to)
        : conversion_(conversion),
          from_(make_layout(conversion.c, conversion.h, conversion.w, conversion.from)),
          to_(make_layout(conversion.c, conversion.h, conversion.w, conversion.to)),
          source_(from),
          destination_(to),
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

    /* How many channels from this one on are converted together. */
    size_t piece_at(size_t channel) const {
        size_t end = conversion_.c;
        if (!from_planes()) end = std::min(end, (channel / from_.group + 1) * from_.group);
        if (!to_planes()) end = std::min(end, (channel / to_.group + 1) * to_.group);
        const size_t channels = end - channel;
        const bool whole = from_.group == channels && to_.group == channels;
        return whole ? channels : std::min(channels, kChannels);
    }

    /* All images' pixels of these channels, in runs as long as rows without gaps allow. */
    void convert_channels(size_t channel, size_t channels) const {
        const Pattern pattern(conversion_, channel, channels);
        const bool one_run = from_.row == conversion_.w && to_.row == conversion_.w;
        const size_t rows = one_run ? 1 : conversion_.h;
        const size_t pixels = one_run ? size_t{conversion_.h} * conversion_.w : conversion_.w;
        for (size_t n = 0; n < conversion_.n; ++n) {
            const char *from = source_ + n * from_.image() * from_.element;
            char *to = destination_ + n * to_.image() * to_.element;
            for (size_t y = 0; y < rows; ++y) {
                convert_run(from + from_.offset(channel, y * from_.row), to + to_.offset(channel, y * to_.row), channel,
                            channels, pixels, pattern);
            }
        }
    }

    void convert_run(const char *from, char *to, size_t channel, size_t channels, size_t pixels,
                     const Pattern &pattern) const {
        const bool whole = from_.group == channels && to_.group == channels;
        const size_t widest = std::max(from_.element, to_.element);
        const size_t step = whole ? pixels : kBufferBytes / (channels * widest);
        for (size_t done = 0; done < pixels; done += step) {
            const size_t count = std::min(step, pixels - done);
            const char *here = from + done * from_.group * from_.element;
            char *there = to + done * to_.group * to_.element;
            if (from_planes()) {
                planes_to_pixels(here, there, channel, channels, count);
            } else if (to_planes()) {
                pixels_to_planes(here, there, channel, channels, count);
            } else {
                pixels_to_pixels(here, there, channels, count, pattern);
            }
        }
    }

    /* Converted plane by plane, then interleaved. */
    void planes_to_pixels(const char *from, char *to, size_t channel, size_t channels, size_t pixels) const {
        const size_t from_stride = from_.surface;
        if (copies_) {
            transpose(from, from_stride, to, to_.group, channels, pixels, to_.element);
            return;
        }
        char planes[kBufferBytes];
        for (size_t i = 0; i < channels; ++i) {
            convert_plane(from + i * from_stride * from_.element, planes + i * pixels * to_.element, channel + i,
                          pixels);
        }
        transpose(planes, pixels, to, to_.group, channels, pixels, to_.element);
    }

    /* Taken apart into planes, then converted plane by plane. */
    void pixels_to_planes(const char *from, char *to, size_t channel, size_t channels, size_t pixels) const {
        const size_t to_stride = to_.surface;
        if (copies_) {
            transpose(from, from_.group, to, to_stride, pixels, channels, to_.element);
            return;
        }
        char planes[kBufferBytes];
        transpose(from, from_.group, planes, pixels, pixels, channels, from_.element);
        for (size_t i = 0; i < channels; ++i) {
            convert_plane(planes + i * pixels * from_.element, to + i * to_stride * to_.element, channel + i, pixels);
        }
    }

    /* Brought side by side, converted, brought to their places; what lies right already is not moved. */
    void pixels_to_pixels(const char *from, char *to, size_t channels, size_t pixels, const Pattern &pattern) const {
        char gathered[kBufferBytes], converted[kBufferBytes];
        if (from_.group != channels) {
            move_pixels(from, from_.group, copies_ ? to : gathered, copies_ ? to_.group : channels, channels, pixels,
                        from_.element);
            if (copies_) return;
            from = gathered;
        }
        if (to_.group == channels) {
            convert_side_by_side(from, to, channels * pixels, pattern);
            return;
        }
        if (!copies_) {
            convert_side_by_side(from, converted, channels * pixels, pattern);
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

    void convert_plane(const char *from, char *to, size_t channel, size_t count) const {
        const size_t index = conversion_.channels == 1 ? 0 : channel;
        convert(from, to, count, {conversion_.a + index, conversion_.b + index, false});
    }

    void convert_side_by_side(const char *from, char *to, size_t count, const Pattern &pattern) const {
        const size_t step = pattern.period() == 0 ? count : pattern.period();
        for (size_t done = 0; done < count; done += step) {
            convert(from + done * from_.element, to + done * to_.element, std::min(step, count - done),
                    pattern.factors());
        }
    }

    void convert(const char *from, char *to, size_t count, const Factors &factors) const {
        if (copies_) {
            std::memcpy(to, from, count * to_.element);
        } else {
            convert_elements(conversion_.rule, conversion_.from.type, from, conversion_.to.type, to, count, factors);
        }
    }

    const ezr_conversion &conversion_;
    const Layout from_;
    const Layout to_;
    const char *const source_;
    char *const destination_;
    const bool copies_;
};

}  // namespace
}  // namespace ezr

extern "C" __attribute__((visibility("default"))) void ezr_convert(const ezr_conversion *conversion, const void *from,
                                                                   void *to) {
    ezr::fill_gaps(*conversion, to);
    if (conversion->n == 0 || conversion->c == 0 || conversion->h == 0 || conversion->w == 0) return;
    ezr::Conversion(*conversion, static_cast<const char *>(from), static_cast<char *>(to)).run();
}
