/* SPDX-License-Identifier: Apache-2.0 */
#include "rknnrt/tensors/bound_input.h"

#include <cstring>

#include "rknnrt/base/status.h"

namespace ez_rknn::rknnrt {

namespace {

/* Removes the gaps between rows, as the conversions need. */
void remove_gaps(const TensorPort &port, uint32_t element_size, const uint8_t *source, std::vector<uint8_t> &dense) {
    const size_t row = static_cast<size_t>(port.w) * port.c * element_size;
    const size_t stride = static_cast<size_t>(port.w_stride) * port.c * element_size;
    const size_t rows = port.total_rows();
    dense.resize(rows * row);
    for (size_t i = 0; i < rows; ++i) std::memcpy(dense.data() + i * row, source + i * stride, row);
}

}  // namespace

void check_input_binding(const TensorPort &port, const IoBinding &binding) {
    if (input_element_size(binding.type) == 0) {
        fail(RKNN_ERR_PARAM_INVALID, "input '", port.name, "' is bound as type ", static_cast<int>(binding.type),
             ", which the runtime does not convert");
    }
    if (binding.pass_through) {
        if (!port.four_d() && binding.format == RKNN_TENSOR_NHWC) {
            fail(RKNN_ERR_FAIL, "pass_through mode only support channel 1, 2, 3, 4, in NHWC layout");
        }
    } else if (binding.format == RKNN_TENSOR_NC1HWC2) {
        fail(RKNN_ERR_FAIL, "NC1HWC2 input format only support pass_through == 1");
    }
}

uint64_t bound_input_bytes(const TensorPort &port, const IoBinding &binding) {
    if (binding.pass_through) return static_cast<uint64_t>(port.stored_bytes) * port.batch;
    const uint64_t element_size = input_element_size(binding.type);
    if (port.storage != Storage::image) return port.total_elements() * element_size;
    return uint64_t{port.total_rows()} * port.w_stride * port.c * element_size;
}

std::optional<InputReading> read_in_place(const TensorPort &port, const IoBinding &binding) {
    const bool strided_rows = binding.format == RKNN_TENSOR_NHWC;
    if (binding.pass_through) {
        const bool native_type = binding.type == RKNN_TENSOR_INT8 || binding.type == RKNN_TENSOR_FLOAT16;
        return InputReading{false, !(strided_rows && native_type)};
    }
    if (port.storage != Storage::image || port.type != DataType::int8 || !strided_rows) return std::nullopt;
    if (binding.type == RKNN_TENSOR_UINT8) return InputReading{true, false};
    return std::nullopt;
}

std::optional<InputReading> convert_bound_input(const TensorPort &port, const IoBinding &binding, uint32_t index,
                                                std::vector<uint8_t> &dense, uint8_t *stored, size_t capacity) {
    const uint32_t element_size = input_element_size(binding.type);
    rknn_input input{};
    input.buf = binding.memory->data();
    input.size = port.total_elements() * element_size;
    input.type = binding.type;
    input.fmt = binding.format;
    if (port.storage == Storage::image && port.w_stride != port.w) {
        remove_gaps(port, element_size, binding.memory->data(), dense);
        input.buf = dense.data();
    }
    return store_input(port, input, index, stored, capacity);
}

}  // namespace ez_rknn::rknnrt
