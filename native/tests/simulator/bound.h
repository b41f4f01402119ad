/* SPDX-License-Identifier: Apache-2.0 */
/* A context that shares memory with the program. */
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include "ez_rknn_simulator.h"
#include "rknn_abi.h"
#include "tests/check.h"
#include "tests/simulator/support.h"

namespace ez_rknn::tests {

inline constexpr const char *compute = "compute=on";

inline bool last_error_has(const char *text) {
    return std::strstr(ez_rknn_last_error(), text) != nullptr;
}

inline void use_fake_device() {
    setenv("EZ_RKNN_PYTHON", EZ_RKNN_FAKE_DEVICE_PATH, 1);
    unsetenv("EZ_RKNN_FAKE_DEVICE");
}

inline uint8_t *bytes_of(const rknn_tensor_mem *memory) {
    return static_cast<uint8_t *>(memory->virt_addr);
}

inline rknn_tensor_mem *memory_for(rknn_context context, const rknn_tensor_attr &attr) {
    return rknn_create_mem(context, attr.size_with_stride);
}

/* A context whose input and output are bound to memory in the NPU's own layout. */
struct Bound {
    explicit Bound(const std::string &settings, uint32_t flags = 0)
        : context(model_path("tiny_conv_int8"), settings, flags),
          input_attr(attribute(context, RKNN_QUERY_NATIVE_INPUT_ATTR)),
          output_attr(attribute(context, RKNN_QUERY_NATIVE_OUTPUT_ATTR)),
          input(memory_for(context, input_attr)),
          output(memory_for(context, output_attr)) {
        input_attr.pass_through = 1;
        CHECK_EQ(rknn_set_io_mem(context, input, &input_attr), RKNN_SUCC);
        CHECK_EQ(rknn_set_io_mem(context, output, &output_attr), RKNN_SUCC);
    }
    ~Bound() {
        rknn_destroy_mem(context, input);
        rknn_destroy_mem(context, output);
    }
    int run() const { return rknn_run(context, nullptr); }

    TestContext context;
    rknn_tensor_attr input_attr, output_attr;
    rknn_tensor_mem *input, *output;
};

}  // namespace ez_rknn::tests
