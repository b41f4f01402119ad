/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/simulator/tensors.h"

#include <cstdlib>
#include <cstring>

#include "tests/check.h"
#include "tests/simulator/support.h"

namespace ez_rknn::tests {

void use_echo_device(const char *program) {
    setenv("EZ_RKNN_PYTHON", program, 1);
    setenv("EZ_RKNN_FAKE_DEVICE", "echo", 1);
}

BoundMemory::BoundMemory(rknn_context context, uint32_t size)
    : context_(context), memory_(rknn_create_mem(context, size)) {
    CHECK(memory_ != nullptr);
}

BoundMemory::~BoundMemory() {
    CHECK_EQ(rknn_destroy_mem(context_, memory_), RKNN_SUCC);
}

uint32_t element_size(rknn_tensor_type type) {
    static const uint32_t sizes[] = {4, 2, 1, 1, 2, 2, 4, 4, 8, 1};
    return sizes[type];
}

rknn_input_output_num count_of(rknn_context context) {
    rknn_input_output_num number{};
    CHECK_EQ(rknn_query(context, RKNN_QUERY_IN_OUT_NUM, &number, sizeof number), RKNN_SUCC);
    return number;
}

std::vector<std::vector<uint8_t>> outputs_of(rknn_context context, bool want_float) {
    std::vector<std::vector<uint8_t>> result;
    std::vector<rknn_output> outputs;
    for (uint32_t i = 0; i < count_of(context).n_output; ++i) {
        const rknn_tensor_attr attr = attribute(context, RKNN_QUERY_OUTPUT_ATTR, i);
        result.emplace_back(want_float ? attr.n_elems * 4 : attr.size, uint8_t{0xCD});
    }
    for (std::vector<uint8_t> &bytes : result) {
        rknn_output output{};
        output.want_float = want_float ? 1 : 0;
        output.is_prealloc = 1;
        output.buf = bytes.data();
        output.size = static_cast<uint32_t>(bytes.size());
        outputs.push_back(output);
    }
    CHECK_EQ(rknn_outputs_get(context, static_cast<uint32_t>(outputs.size()), outputs.data(), nullptr), RKNN_SUCC);
    return result;
}

std::vector<uint8_t> in_onnx_order(const rknn_tensor_attr &output, const rknn_tensor_attr &bound, const uint8_t *data) {
    const size_t size = element_size(bound.type);
    std::vector<uint8_t> dense(output.n_elems * size);
    const size_t n = output.dims[0], c = output.dims[1], h = output.dims[2], w = output.dims[3];
    const bool feature = bound.fmt == RKNN_TENSOR_NC1HWC2;
    const size_t c1 = feature ? bound.dims[1] : 1;
    const size_t surface = feature ? static_cast<size_t>(bound.dims[2]) * bound.dims[3] : h * w;
    const size_t c2 = feature ? bound.dims[4] : c;
    size_t to = 0;
    for (size_t image = 0; image < n; ++image) {
        for (size_t channel = 0; channel < c; ++channel) {
            for (size_t pixel = 0; pixel < h * w; ++pixel) {
                const size_t from = ((image * c1 + channel / c2) * surface + pixel) * c2 + channel % c2;
                std::memcpy(dense.data() + to++ * size, data + from * size, size);
            }
        }
    }
    return dense;
}

}  // namespace ez_rknn::tests
