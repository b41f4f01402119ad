/* SPDX-License-Identifier: Apache-2.0 */
/* Helpers of the simulator's tests: files, and contexts that destroy themselves. */
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "rknn_abi.h"

namespace ez_rknn::tests {

std::string read_file(const std::string &path);
std::vector<std::string> files_in(const std::string &directory, const std::string &prefix, const std::string &suffix);

/* A model committed under tests/data. */
std::string model_path(const std::string &name);

/* The directory next to the project with recordings from the vendor's library; "" if it is missing, which is reported
 * on stdout. */
std::string shared_directory();

class TestContext {
  public:
    TestContext() = default;
    /* Calls rknn_init with the model of that path and these settings; `code` is set to its return code. */
    explicit TestContext(const std::string &path, const std::string &settings = "compute=off", uint32_t flags = 0,
                         rknn_init_extend *extend = nullptr);
    ~TestContext();
    TestContext(const TestContext &) = delete;
    TestContext &operator=(const TestContext &) = delete;

    operator rknn_context() const { return handle; }

    rknn_context handle = 0;
    int code = 0;
};

/* An input of uint8 pixels in NHWC. */
rknn_input pixels(std::vector<uint8_t> &data);
/* An output to be fetched as float32 into `data`. */
rknn_output floats(std::vector<float> &data);

rknn_tensor_attr attribute(rknn_context context, rknn_query_cmd command, uint32_t index = 0);

}  // namespace ez_rknn::tests
