/* SPDX-License-Identifier: Apache-2.0 */
#include "rknnrt/tensors/convert_input.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "rknnrt/base/log.h"
#include "rknnrt/base/number_of.h"
#include "rknnrt/base/status.h"
#include "rknnrt/tensors/normalise_input.h"
#include "rknnrt/tensors/rounding.h"
#include "rknnrt/tensors/write_input.h"

namespace ez_rknn::rknnrt {

namespace {

bool is_index_type(DataType type) {
    return type == DataType::int64 || type == DataType::int32;
}

/* The number that the vendor's messages give for a type. */
int message_number(rknn_tensor_type type) {
    switch (type) {
        case RKNN_TENSOR_INT8:
            return 3;
        case RKNN_TENSOR_INT32:
            return 6;
        case RKNN_TENSOR_INT64:
            return 7;
        case RKNN_TENSOR_BOOL:
            return 9;
        case RKNN_TENSOR_FLOAT32:
        case RKNN_TENSOR_FLOAT16:
        case RKNN_TENSOR_UINT8:
        case RKNN_TENSOR_INT16:
        case RKNN_TENSOR_UINT16:
        case RKNN_TENSOR_UINT32:
        case RKNN_TENSOR_INT4:
        case RKNN_TENSOR_BFLOAT16:
        case RKNN_TENSOR_TYPE_MAX:
            break;
    }
    return static_cast<int>(type);
}

bool type_is_supported(const TensorPort &port, rknn_tensor_type type) {
    switch (type) {
        case RKNN_TENSOR_FLOAT32:
        case RKNN_TENSOR_FLOAT16:
        case RKNN_TENSOR_UINT8:
            return true;
        case RKNN_TENSOR_INT8:
            return port.type == DataType::int8;
        case RKNN_TENSOR_INT32:
        case RKNN_TENSOR_INT64:
            return is_index_type(port.type);
        case RKNN_TENSOR_BOOL:
            return port.type == DataType::boolean;
        case RKNN_TENSOR_INT16:
        case RKNN_TENSOR_UINT16:
        case RKNN_TENSOR_UINT32:
        case RKNN_TENSOR_INT4:
        case RKNN_TENSOR_BFLOAT16:
        case RKNN_TENSOR_TYPE_MAX:
            break;
    }
    return false;
}

/* The reason why the vendor's library ignores this input although it returns 0; "" if it does not. */
std::string refusal(const TensorPort &port, const rknn_input &input) {
    const int fmt = static_cast<int>(input.fmt);
    if (input.fmt == RKNN_TENSOR_NC1HWC2) {
        if (!port.four_d()) return text_of("rknn_inputs_set, meet unsupported layout(", fmt, ")!");
        if (port.storage == Storage::image) {
            return "rknn_inputs_set, when input channel is 1, 3 or 4, not support NC1HWC2 layout!";
        }
    }
    if (!type_is_supported(port, input.type)) {
        return text_of("Normalize does not support for this data type. src type(", message_number(input.type),
                       "), dst type ", static_cast<int>(port.type));
    }
    if (port.api_is_nhwc() && input.fmt != RKNN_TENSOR_NHWC) {
        return text_of("Meet unsupported src layout for normalize: ", fmt, " (only NHWC is converted)");
    }
    if (input.type == RKNN_TENSOR_INT8 && !port.four_d()) {
        return text_of("Meet unsupported src layout for normalize: ", fmt);
    }
    return "";
}

/* The bytes between the rows of an image of pixels: they become zero when normalised. */
std::vector<uint8_t> row_end(const TensorPort &port) {
    std::vector<uint8_t> end(static_cast<size_t>(port.w_stride - port.w) * port.c);
    for (size_t i = 0; i < end.size(); ++i) {
        const double mean = round_half_even(mean_of(port, static_cast<uint32_t>(i % port.c)));
        end[i] = static_cast<uint8_t>(std::clamp(mean, 0.0, 255.0));
    }
    return end;
}

/* Stores pixels for the NPU as they are. */
InputReading store_pixels(const TensorPort &port, const void *source, uint8_t *stored) {
    const size_t row_bytes = static_cast<size_t>(port.w) * port.c;
    const size_t stride_bytes = static_cast<size_t>(port.w_stride) * port.c;
    for (size_t row = 0; row < port.total_rows(); ++row) {
        std::memcpy(stored + row * stride_bytes, static_cast<const uint8_t *>(source) + row * row_bytes, row_bytes);
    }
    fill_row_ends(port, stored);
    return {true, false};
}

InputReading store_quantised(const TensorPort &port, const void *source, uint8_t *stored) {
    write_elements<int8_t, int8_t>(port, source, stored, 0, [](int8_t value, uint32_t) { return value; });
    return {};
}

InputReading convert(const TensorPort &port, const rknn_input &input, uint8_t *stored) {
    if (input.type == RKNN_TENSOR_INT8) return store_quantised(port, input.buf, stored);
    const bool image = port.type == DataType::int8 && port.storage == Storage::image;
    if (image && input.type == RKNN_TENSOR_UINT8) return store_pixels(port, input.buf, stored);
    normalise_input(port, input.type, input.buf, stored);
    return {};
}

/* Stores the bytes of pass_through as they are, from the start of the buffer. The vendor's library copies beyond the
 * buffer's end if there are more; here the rest is left out. */
std::optional<InputReading> pass_through(const TensorPort &port, const rknn_input &input, uint8_t *stored,
                                         size_t capacity) {
    if (!port.four_d() && input.fmt == RKNN_TENSOR_NHWC) {
        log_error("pass_through mode only support channel 1, 2, 3, 4, in NHWC layout");
        return std::nullopt;
    }
    std::memcpy(stored, input.buf, std::min<size_t>(input.size, capacity));
    const bool native_type = input.type == RKNN_TENSOR_INT8 || input.type == RKNN_TENSOR_FLOAT16;
    return InputReading{false, !(input.fmt == RKNN_TENSOR_NHWC && native_type)};
}

void check_arguments(const TensorPort &port, const rknn_input &input, uint32_t index) {
    if (input.buf == nullptr) fail(RKNN_ERR_PARAM_INVALID, "input ", index, " ('", port.name, "') has no buffer");
    const int32_t format = number_of(input.fmt);
    if (format < RKNN_TENSOR_NCHW || format >= RKNN_TENSOR_FORMAT_MAX) {
        fail(RKNN_ERR_PARAM_INVALID, "meet unsupported layout(", format, ")!");
    }
    const int32_t type = number_of(input.type);
    const uint32_t element_size = input_element_size(type);
    if (element_size == 0) {
        fail(RKNN_ERR_PARAM_INVALID, "input ", index, " ('", port.name, "') has type ", type, ", which cannot be set");
    }
    const uint64_t needed = static_cast<uint64_t>(port.total_elements()) * element_size;
    if (input.size < needed) {
        fail(RKNN_ERR_PARAM_INVALID, "param input size(", input.size, ") < model input size(", needed, ")");
    }
}

/* True for an oversized buffer that the vendor's fast path, for images that need no gaps, refuses. */
bool oversized_copy(const TensorPort &port, const rknn_input &input) {
    return port.storage == Storage::image && port.type == DataType::int8 && input.type == RKNN_TENSOR_UINT8 &&
           port.c == 1 && port.w == port.w_stride && input.size > port.total_elements();
}

}  // namespace

void fill_row_ends(const TensorPort &port, uint8_t *stored) {
    const std::vector<uint8_t> end = row_end(port);
    const size_t stride_bytes = static_cast<size_t>(port.w_stride) * port.c;
    for (size_t row = 1; row <= port.total_rows(); ++row) {
        std::copy(end.begin(), end.end(), stored + row * stride_bytes - end.size());
    }
}

std::optional<InputReading> store_input(const TensorPort &port, const rknn_input &input, uint32_t index,
                                        uint8_t *stored, size_t capacity) {
    check_arguments(port, input, index);
    if (input.pass_through != 0) return pass_through(port, input, stored, capacity);
    if (oversized_copy(port, input)) {
        log_error(text_of("current input size(", input.size, ") > need input size(", port.total_elements(), ")"));
        return std::nullopt;
    }
    const std::string reason = refusal(port, input);
    if (!reason.empty()) {
        log_error(reason);
        log_error(text_of("rknn_inputs_set, normalize error(-1) index=", index));
        return std::nullopt;
    }
    return convert(port, input, stored);
}

}  // namespace ez_rknn::rknnrt
