/* SPDX-License-Identifier: Apache-2.0 */
/* The attributes of an input or output for rknn_query: five views of the same tensor. */
#pragma once

#include "rknn_abi.h"
#include "rknnrt/tensors/tensor_port.h"

namespace ez_rknn::rknnrt {

/* The attributes that all views share, and the tensor as the model has it. */
rknn_tensor_attr logical_attr(const TensorPort &port, uint32_t index);
rknn_tensor_attr input_attr(const TensorPort &port, uint32_t index);
rknn_tensor_attr native_input_attr(const TensorPort &port, uint32_t index); /* also the "native NHWC" one */
rknn_tensor_attr output_attr(const TensorPort &port, uint32_t index);
rknn_tensor_attr native_output_attr(const TensorPort &port, uint32_t index);
rknn_tensor_attr native_nhwc_output_attr(const TensorPort &port, uint32_t index);

/* The dimensions of an input's shape in the interface: NHWC for images. */
std::vector<uint32_t> api_input_dims(const TensorPort &port);

}  // namespace ez_rknn::rknnrt
