/* SPDX-License-Identifier: Apache-2.0 */
/* The arithmetic of rknn_inputs_set: subtracting the mean, dividing by the deviation, rounding to the model's type. */
#pragma once

#include <cstdint>

#include "rknn_abi.h"
#include "rknnrt/tensors/tensor_port.h"

namespace ez_rknn::rknnrt {

/* Converts all inferences' elements and stores them as the NPU expects. The source is dense and in the interface's
 * order; its type is one of those that rknn_inputs_set takes, int8 excepted. */
void normalise_input(const TensorPort &port, rknn_tensor_type source_type, const void *source, uint8_t *stored);

/* The mean and the standard deviation that the vendor's library applies to a channel. */
float mean_of(const TensorPort &port, uint32_t channel);
float deviation_of(const TensorPort &port, uint32_t channel);

/* The multiplier, shift and offset with which the NPU turns a pixel of one channel into int8:
 * q = pixel * multiplier / 2^shift + offset. */
struct PixelScaling {
    int32_t multiplier;
    int32_t shift;
    int32_t offset;
    double factor() const;
};
PixelScaling pixel_scaling(const TensorPort &port, uint32_t channel);

}  // namespace ez_rknn::rknnrt
