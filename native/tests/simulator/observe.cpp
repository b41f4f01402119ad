/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated NPU with its buffers exposed: a librknnrt.so for tests that compare the NPU's inputs, and that set its
 * results. */
#include "common/export.h"
#include "rknnrt/context/process.h"

using namespace ez_rknn::rknnrt;

namespace {

uint8_t *begin(const DeviceMemory *buffer, uint64_t *size) {
    *size = buffer == nullptr ? 0 : buffer->size();
    return buffer == nullptr ? nullptr : buffer->data();
}

}  // namespace

/* The NPU's own buffer of an input, as the NPU stores it. */
EZ_RKNN_EXPORT uint8_t *ez_rknn_observe_input(rknn_context context, uint32_t index, uint64_t *size) {
    return begin(process_state().contexts.find(context)->input_buffer(index), size);
}

/* The NPU's result of an output: dense, in the model's type. */
EZ_RKNN_EXPORT uint8_t *ez_rknn_observe_output(rknn_context context, uint32_t index, uint64_t *size) {
    return begin(process_state().contexts.find(context)->output_buffer(index), size);
}
