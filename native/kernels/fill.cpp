/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/fill.h"

#include <algorithm>
#include <cstring>

#include "kernels/half.h"
#include "kernels/layout.h"

namespace ez_rknn::kernels {
namespace {

/* Writes a whole number as an element of a type; integers keep their low bytes. */
void put(rknn_tensor_type type, int32_t value, char *to) {
    const auto number = static_cast<float>(value);
    const int64_t whole = value;
    const uint16_t half = half_from_float(number);
    const void *from = &whole;  // little-endian
    if (type == RKNN_TENSOR_FLOAT32) from = &number;
    if (type == RKNN_TENSOR_FLOAT16) from = &half;
    std::memcpy(to, from, element_size(type));
}

/* Fills `pixels` pixels of one group of channels, each channel with its own value. */
void fill_pixels(const ezr_conversion &conversion, const ElementLayout &layout, size_t first_channel, size_t pixels,
                 char *to) {
    if (conversion.gap == nullptr) {
        std::memset(to, 0, pixels * layout.group * layout.element);
        return;
    }
    for (size_t pixel = 0; pixel < pixels; ++pixel) {
        for (size_t i = 0; i < layout.group; ++i) {
            put(conversion.to.type, conversion.gap[first_channel + i], to);
            to += layout.element;
        }
    }
}

/* Fills, in NCHW and NHWC, the ends of the rows of one image. */
void fill_rows(const ezr_conversion &conversion, const ElementLayout &layout, char *image) {
    if (layout.row == conversion.w) return;
    for (size_t channel = 0; channel < conversion.c; channel += layout.group) {
        for (size_t y = 0; y < conversion.h; ++y) {
            fill_pixels(conversion, layout, channel, layout.row - conversion.w,
                        image + layout.offset(channel, y * layout.row + conversion.w));
        }
    }
}

/* Fills, in NC1HWC2, the space after the pixels and beside the channels. */
void fill_blocks(const ezr_conversion &conversion, const ElementLayout &layout, char *image) {
    const size_t pixels = size_t{conversion.h} * conversion.w;
    for (size_t block = 0; block < layout.groups; ++block) {
        const bool is_full = (block + 1) * layout.group <= conversion.c;
        const size_t from = layout.offset(block * layout.group, is_full ? pixels : 0);
        const size_t end = (block + 1) * layout.surface * layout.group * layout.element;
        std::memset(image + from, 0, end - from);
    }
}

}  // namespace

void fill_gaps(const ezr_conversion &conversion, void *to) {
    const ElementLayout layout = make_layout(conversion.c, conversion.h, conversion.w, conversion.to);
    const bool is_blocks = conversion.to.format == RKNN_TENSOR_NC1HWC2;
    for (size_t n = 0; n < conversion.n; ++n) {
        char *image = static_cast<char *>(to) + n * layout.image() * layout.element;
        is_blocks ? fill_blocks(conversion, layout, image) : fill_rows(conversion, layout, image);
    }
}

}  // namespace ez_rknn::kernels
