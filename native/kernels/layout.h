/* SPDX-License-Identifier: Apache-2.0 */
/* The memory layout of a tensor's elements.
 *
 * All three formats are one: groups of adjacent channels, pixel after pixel. NCHW has groups of one channel, NHWC has
 * one group of all channels, NC1HWC2 has groups of c2. So a conversion between formats is a conversion between widths
 * of groups. */
#pragma once

#include <cstddef>
#include <cstdint>

#include "ez_rknn_kernels.h"

namespace ez_rknn::kernels {

/* The size of an element in bytes; 0 for types that the kernels do not know. */
size_t element_size(rknn_tensor_type type);

struct ElementLayout {
    size_t element; /* bytes of an element */
    size_t group;   /* adjacent channels */
    size_t groups;
    size_t row;     /* pixels from one row to the next */
    size_t surface; /* pixels from one group to the next */

    /* Elements from one image to the next. */
    size_t image() const { return groups * surface * group; }

    /* The offset in bytes of the channel's element of a pixel in its image; pixels are counted with the gaps of
     * rows. */
    size_t offset(size_t channel, size_t pixel) const {
        return ((channel / group * surface + pixel) * group + channel % group) * element;
    }
};

/* The layout of an image of c x h x w elements, c at least 1. */
ElementLayout make_layout(uint32_t c, uint32_t h, uint32_t w, const ezr_layout &layout);

}  // namespace ez_rknn::kernels
