/* SPDX-License-Identifier: Apache-2.0 */
/* Helpers of the tests of bound memory: memory that destroys itself, and tensors in every layout. */
#pragma once

#include <cstdint>
#include <vector>

#include "rknn_abi.h"

namespace ez_rknn::tests {

/* Makes contexts compute with the fake device, which echoes its inputs, from now on. Its program is the test's
 * EZ_RKNN_FAKE_DEVICE_PATH. */
void use_echo_device(const char *program);

/* Memory of a context that is destroyed with this. */
class BoundMemory {
  public:
    BoundMemory(rknn_context context, uint32_t size);
    ~BoundMemory();
    BoundMemory(const BoundMemory &) = delete;
    BoundMemory &operator=(const BoundMemory &) = delete;

    operator rknn_tensor_mem *() const { return memory_; }
    uint8_t *data() const { return static_cast<uint8_t *>(memory_->virt_addr); }
    std::vector<uint8_t> bytes(size_t size) const { return {data(), data() + size}; }

  private:
    rknn_context context_;
    rknn_tensor_mem *memory_;
};

uint32_t element_size(rknn_tensor_type type);

rknn_input_output_num count_of(rknn_context context);

/* Returns all outputs of rknn_outputs_get: in ONNX order, without gaps. */
std::vector<std::vector<uint8_t>> outputs_of(rknn_context context, bool want_float);

/* Converts a 4-D output bound as `bound` says, NHWC or NC1HWC2, to ONNX order; `output` is its OUTPUT_ATTR. */
std::vector<uint8_t> in_onnx_order(const rknn_tensor_attr &output, const rknn_tensor_attr &bound, const uint8_t *data);

}  // namespace ez_rknn::tests
