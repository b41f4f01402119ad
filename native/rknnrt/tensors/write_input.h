/* SPDX-License-Identifier: Apache-2.0 */
/* Writing converted elements where the NPU expects them, for each storage of an input.
 *
 * Each function takes the source's elements in the order of the interface (dense, NHWC for 4-D tensors) and writes
 * convert(element, channel). */
#pragma once

#include <cstring>

#include "rknnrt/tensors/elements.h"
#include "rknnrt/tensors/tensor_port.h"

namespace ez_rknn::rknnrt {

/* The gap at the end of a row is filled with `padding`. */
template <typename Source, typename Element, typename Convert>
void write_image(const TensorPort &port, const void *source, uint8_t *stored, Element padding, Convert convert) {
    const size_t rows = port.total_rows();
    size_t from = 0;
    for (size_t row = 0; row < rows; ++row) {
        size_t to = row * port.w_stride * port.c;
        for (uint32_t x = 0; x < port.w; ++x) {
            for (uint32_t channel = 0; channel < port.c; ++channel) {
                put<Element>(stored, to++, convert(element<Source>(source, from++), channel));
            }
        }
        const size_t end = (row + 1) * port.w_stride * port.c;
        while (to < end) put<Element>(stored, to++, padding);
    }
}

template <typename Source, typename Element, typename Convert>
void write_feature(const TensorPort &port, const void *source, uint8_t *stored, Convert convert) {
    if (port.c % port.c2 != 0 || port.c1 * port.c2 > port.c) {
        std::memset(stored, 0, static_cast<size_t>(port.stored_bytes) * port.batch);
    }
    const size_t pixels = port.pixels();
    size_t from = 0;
    for (size_t image = 0; image < static_cast<size_t>(port.n) * port.batch; ++image) {
        for (size_t pixel = 0; pixel < pixels; ++pixel) {
            for (uint32_t channel = 0; channel < port.c; ++channel) {
                put<Element>(stored, port.feature_index(image, channel, pixel),
                             convert(element<Source>(source, from++), channel));
            }
        }
    }
}

/* A 4-D tensor that the NPU keeps in ONNX order: from NHWC to NCHW. */
template <typename Source, typename Element, typename Convert>
void write_planes(const TensorPort &port, const void *source, uint8_t *stored, Convert convert) {
    const size_t pixels = port.pixels();
    size_t from = 0;
    for (size_t image = 0; image < static_cast<size_t>(port.n) * port.batch; ++image) {
        for (size_t pixel = 0; pixel < pixels; ++pixel) {
            for (uint32_t channel = 0; channel < port.c; ++channel) {
                put<Element>(stored, (image * port.c + channel) * pixels + pixel,
                             convert(element<Source>(source, from++), channel));
            }
        }
    }
}

template <typename Source, typename Element, typename Convert>
void write_elements(const TensorPort &port, const void *source, uint8_t *stored, Element padding, Convert convert) {
    if (port.storage == Storage::image) {
        write_image<Source, Element>(port, source, stored, padding, convert);
    } else if (port.storage == Storage::feature) {
        write_feature<Source, Element>(port, source, stored, convert);
    } else if (port.api_is_nhwc()) {
        write_planes<Source, Element>(port, source, stored, convert);
    } else {
        for (size_t i = 0; i < port.total_elements(); ++i) {
            put<Element>(stored, i, convert(element<Source>(source, i), 0));
        }
    }
}

}  // namespace ez_rknn::rknnrt
