/* SPDX-License-Identifier: Apache-2.0 */
#include "rknnrt/tensors/bound_output.h"

#include "rknnrt/base/status.h"
#include "rknnrt/tensors/convert_output.h"
#include "rknnrt/tensors/elements.h"

namespace ez_rknn::rknnrt {

namespace {

bool as_float(const TensorPort &port, const IoBinding &binding) {
    return binding.type == RKNN_TENSOR_FLOAT32 && port.type != DataType::float32;
}

/* True if written as stored. With float32 the vendor's library ignores NC1HWC2, and writes NCHW. */
bool as_stored(const TensorPort &port, const IoBinding &binding) {
    return binding.format == RKNN_TENSOR_NC1HWC2 && !as_float(port, binding) && port.storage == Storage::feature;
}

/* Calls give(index in ONNX order, image, channel, pixel). */
template <typename Give>
void visit(const TensorPort &port, Give give) {
    const size_t pixels = port.pixels();
    size_t from = 0;
    for (size_t image = 0; image < static_cast<size_t>(port.n) * port.batch; ++image) {
        for (size_t channel = 0; channel < port.c; ++channel) {
            for (size_t pixel = 0; pixel < pixels; ++pixel) give(from++, image, channel, pixel);
        }
    }
}

/* Pads the channels and the surfaces with the value that represents zero. */
template <typename Element>
void write_feature(const TensorPort &port, const uint8_t *dense, uint8_t *to) {
    fill_with_zero(port, static_cast<size_t>(port.stored_bytes) * port.batch / sizeof(Element), to);
    visit(port, [&](size_t from, size_t image, size_t channel, size_t pixel) {
        put<Element>(to, port.feature_index(image, channel, pixel), element<Element>(dense, from));
    });
}

template <typename Element>
void write_nhwc(const TensorPort &port, const uint8_t *dense, uint8_t *to) {
    const size_t pixels = port.pixels();
    visit(port, [&](size_t from, size_t image, size_t channel, size_t pixel) {
        put<Element>(to, (image * pixels + pixel) * port.c + channel, element<Element>(dense, from));
    });
}

}  // namespace

void check_output_binding(const TensorPort &port, const IoBinding &binding) {
    if (binding.type != api_type(port.type) && binding.type != RKNN_TENSOR_FLOAT32) {
        fail(RKNN_ERR_PARAM_INVALID, "output '", port.name, "' is bound as type ", static_cast<int>(binding.type),
             "; it can be ", static_cast<int>(api_type(port.type)), " (the model's) or 0 (float32)");
    }
    if (binding.format == RKNN_TENSOR_NC1HWC2 && (!port.four_d() || binding.type != RKNN_TENSOR_FLOAT32) &&
        port.storage != Storage::feature) {
        fail(RKNN_ERR_PARAM_INVALID, "output '", port.name,
             "' is bound as NC1HWC2, but the NPU does not have it in that layout; ask RKNN_QUERY_NATIVE_OUTPUT_ATTR");
    }
}

uint64_t bound_output_bytes(const TensorPort &port, const IoBinding &binding) {
    if (as_stored(port, binding)) return static_cast<uint64_t>(port.stored_bytes) * port.batch;
    return output_bytes(port, as_float(port, binding));
}

void write_bound_output(const TensorPort &port, const IoBinding &binding, const uint8_t *dense,
                        std::vector<uint8_t> &room) {
    uint8_t *to = binding.memory->data();
    if (as_stored(port, binding)) {
        return with_element(port, [&](auto element) { write_feature<decltype(element)>(port, dense, to); });
    }
    const bool to_float = as_float(port, binding);
    if (port.four_d() && binding.format == RKNN_TENSOR_NHWC) {
        room.resize(output_bytes(port, false));
        uint8_t *transposed = to_float ? room.data() : to;
        with_element(port, [&](auto element) { write_nhwc<decltype(element)>(port, dense, transposed); });
        if (to_float) convert_output(port, true, transposed, to);
        return;
    }
    convert_output(port, to_float, dense, to);
}

}  // namespace ez_rknn::rknnrt
