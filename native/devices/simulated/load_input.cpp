/* SPDX-License-Identifier: Apache-2.0 */
#include "devices/simulated/load_input.h"

#include <cstring>
#include <vector>

#include "rknnrt/tensors/elements.h"
#include "rknnrt/tensors/normalise_input.h"
#include "rknnrt/tensors/rounding.h"

namespace ez_rknn::rknnrt::simulated {

namespace {

/* Calls take(stored element's index) for each element in ONNX order. */
template <typename Take>
void visit(const TensorPort &port, bool dense_rows, Take take) {
    const uint32_t row = dense_rows ? port.w : port.w_stride;
    for (uint32_t image = 0; image < port.n; ++image) {
        for (uint32_t channel = 0; channel < port.c; ++channel) {
            for (uint32_t y = 0; y < port.h; ++y) {
                for (uint32_t x = 0; x < port.w; ++x) {
                    if (port.storage == Storage::image) {
                        const size_t pixel = (static_cast<size_t>(image) * port.h + y) * row + x;
                        take(pixel * port.c + channel, channel);
                    } else {
                        const size_t pixel = static_cast<size_t>(y) * port.w + x;
                        take(port.feature_index(image, channel, pixel), channel);
                    }
                }
            }
        }
    }
}

template <typename Element>
void gather(const TensorPort &port, bool dense_rows, const uint8_t *stored, uint8_t *dense) {
    size_t to = 0;
    visit(port, dense_rows, [&](size_t from, uint32_t) { put<Element>(dense, to++, element<Element>(stored, from)); });
}

/* A pixel has 256 values: each is converted once a channel. */
void quantise_pixels(const TensorPort &port, const uint8_t *stored, uint8_t *dense) {
    std::vector<int8_t> table(256 * static_cast<size_t>(port.c));
    for (uint32_t channel = 0; channel < port.c; ++channel) {
        const PixelScaling scaling = pixel_scaling(port, channel);
        for (uint32_t value = 0; value < 256; ++value) {
            table[256 * channel + value] = saturate_to_int8(round_half_even(value * scaling.factor()) + scaling.offset);
        }
    }
    size_t to = 0;
    visit(port, false, [&](size_t from, uint32_t channel) {
        dense[to++] = static_cast<uint8_t>(table[256 * channel + stored[from]]);
    });
}

}  // namespace

void load_input(const TensorPort &port, InputReading reading, const uint8_t *stored, uint8_t *dense) {
    if (port.storage == Storage::plain) {
        std::memcpy(dense, stored, port.dense_bytes);
        return;
    }
    if (reading.raw_uint8) return quantise_pixels(port, stored, dense);
    const bool dense_rows = reading.dense_rows && port.storage == Storage::image;
    with_element(port, [&](auto element) { gather<decltype(element)>(port, dense_rows, stored, dense); });
}

}  // namespace ez_rknn::rknnrt::simulated
