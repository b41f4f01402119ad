/* SPDX-License-Identifier: Apache-2.0 */
/* Runs with inputs and outputs in bound memory, against runs with rknn_inputs_set and rknn_outputs_get: the same
 * numbers in every type, layout and combination. The fake device echoes its inputs, so a misplaced byte shows. */
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "ez_rknn_simulator.h"
#include "rknnrt/base/half.h"
#include "rknnrt/context/process.h"
#include "tests/check.h"
#include "tests/simulator/support.h"
#include "tests/simulator/tensors.h"

using namespace ez_rknn::tests;
using namespace ez_rknn::rknnrt;

namespace {

constexpr const char *compute = "compute=on";

const std::vector<const char *> models = {"tiny_conv_int8", "tiny_conv_fp16", "conv_c1_int8",     "conv_c1_fp16",
                                          "conv_c4_int8",   "conv_c5_int8",   "conv_c5_fp16",     "conv_c16_int8",
                                          "odd_size_int8",  "odd_size_fp16",  "mean_std_int8",    "mean_std_fp16",
                                          "batch4_int8",    "batch4_fp16",    "two_inputs_int8",  "vector_int8",
                                          "vector_fp16",    "tokens_fp16",    "read_by_cpu_int8", "read_by_cpu_fp16"};

/* Numbers of one type, dense: samples of its whole range, small for the types of real numbers. */
std::vector<uint8_t> source(rknn_tensor_type type, size_t elements) {
    std::vector<uint8_t> bytes(elements * element_size(type));
    for (size_t i = 0; i < elements; ++i) {
        const float number = static_cast<float>(i * 37 % 513) / 2.F - 100.F;
        const uint16_t half = half_from_float(number);
        const int64_t whole = static_cast<int64_t>(i * 29 % 251);
        uint8_t *to = bytes.data() + i * element_size(type);
        if (type == RKNN_TENSOR_FLOAT32) {
            std::memcpy(to, &number, sizeof number);
        } else if (type == RKNN_TENSOR_FLOAT16) {
            std::memcpy(to, &half, sizeof half);
        } else {
            std::memcpy(to, &whole, element_size(type));
        }
    }
    return bytes;
}

/* Writes rows of `w` pixels, `stride` pixels apart; the gaps hold bytes that no one may read. */
void write_rows(const std::vector<uint8_t> &dense, size_t row_bytes, size_t stride_bytes, uint8_t *to) {
    for (size_t row = 0; row * row_bytes < dense.size(); ++row) {
        std::memset(to + row * stride_bytes, 0xAB, stride_bytes);
        std::memcpy(to + row * stride_bytes, dense.data() + row * row_bytes, row_bytes);
    }
}

/* Fills memory for an input that is bound as `attr` says. */
void write_input(const rknn_tensor_attr &attr, const std::vector<uint8_t> &dense, uint8_t *to) {
    const size_t size = element_size(attr.type);
    const bool image = attr.n_dims == 4 && attr.fmt == RKNN_TENSOR_NHWC && attr.dims[3] <= 4;
    const size_t row = image ? attr.dims[2] * attr.dims[3] * size : dense.size();
    const size_t stride = image ? attr.w_stride * attr.dims[3] * size : dense.size();
    write_rows(dense, row, stride, to);
}

uint32_t bytes_for(const rknn_tensor_attr &attr) {
    return std::max(attr.size_with_stride, attr.n_elems) * 8;  // enough for every type
}

/* One source for each input. */
std::vector<std::vector<uint8_t>> sources_of(rknn_context context, rknn_tensor_type type) {
    std::vector<std::vector<uint8_t>> result;
    for (uint32_t i = 0; i < count_of(context).n_input; ++i) {
        result.push_back(source(type, attribute(context, RKNN_QUERY_INPUT_ATTR, i).n_elems));
    }
    return result;
}

int set_inputs(rknn_context context, rknn_tensor_type type, std::vector<std::vector<uint8_t>> &sources) {
    std::vector<rknn_input> inputs;
    for (std::vector<uint8_t> &bytes : sources) {
        rknn_input input{};
        input.buf = bytes.data();
        input.size = static_cast<uint32_t>(bytes.size());
        input.type = type;
        input.fmt = RKNN_TENSOR_NHWC;
        inputs.push_back(input);
    }
    return rknn_inputs_set(context, static_cast<uint32_t>(inputs.size()), inputs.data());
}

std::vector<std::vector<uint8_t>> run_with_inputs_set(const char *model, rknn_tensor_type type) {
    const TestContext context(model_path(model), compute);
    std::vector<std::vector<uint8_t>> sources = sources_of(context, type);
    CHECK_EQ(set_inputs(context, type, sources), RKNN_SUCC);
    CHECK_EQ(rknn_run(context, nullptr), RKNN_SUCC);
    return outputs_of(context, false);
}

std::string named(const char *model, rknn_tensor_type type) {
    return std::string(model) + ", type " + std::to_string(static_cast<int>(type)) + ": ";
}

void check_same(const std::string &where, const std::vector<uint8_t> &ours, const std::vector<uint8_t> &theirs) {
    size_t at = 0;
    while (at < std::min(ours.size(), theirs.size()) && ours[at] == theirs[at]) ++at;
    if (ours.size() == theirs.size() && at == ours.size()) return;
    check::fail(__FILE__, __LINE__,
                where + "differs at byte " + std::to_string(at) + " of " + std::to_string(ours.size()) + " (" +
                    std::to_string(theirs.size()) + ")");
}

}  // namespace

TEST(bound_inputs_are_converted_as_rknn_inputs_set_converts_them) {
    use_echo_device(EZ_RKNN_FAKE_DEVICE_PATH);
    size_t compared = 0;
    for (const char *model : models) {
        for (const rknn_tensor_type type :
             {RKNN_TENSOR_FLOAT32, RKNN_TENSOR_FLOAT16, RKNN_TENSOR_INT8, RKNN_TENSOR_UINT8, RKNN_TENSOR_INT64}) {
            const TestContext context(model_path(model), compute);
            std::vector<std::unique_ptr<BoundMemory>> memories;
            const std::vector<std::vector<uint8_t>> sources = sources_of(context, type);
            for (uint32_t i = 0; i < sources.size(); ++i) {
                rknn_tensor_attr attr = attribute(context, RKNN_QUERY_INPUT_ATTR, i);
                attr.type = type;
                memories.push_back(std::make_unique<BoundMemory>(context, bytes_for(attr)));
                write_input(attr, sources[i], memories.back()->data());
                attr.index = 77;  // only the name is used
                CHECK_EQ(rknn_set_io_mem(context, *memories.back(), &attr), RKNN_SUCC);
            }
            CHECK_EQ(rknn_run(context, nullptr), RKNN_SUCC);
            const auto ours = outputs_of(context, false);
            const auto theirs = run_with_inputs_set(model, type);
            for (size_t i = 0; i < ours.size(); ++i) check_same(named(model, type), ours[i], theirs[i]);
            ++compared;
        }
    }
    CHECK_EQ(compared, models.size() * 5);
}

TEST(inputs_in_the_npus_own_layout_are_read_as_they_are) {
    use_echo_device(EZ_RKNN_FAKE_DEVICE_PATH);
    for (const char *model : models) {
        const TestContext filled(model_path(model), compute);
        const TestContext context(model_path(model), compute);
        std::vector<std::vector<uint8_t>> sources = sources_of(filled, RKNN_TENSOR_FLOAT32);
        CHECK_EQ(set_inputs(filled, RKNN_TENSOR_FLOAT32, sources), RKNN_SUCC);
        CHECK_EQ(rknn_run(filled, nullptr), RKNN_SUCC);
        std::vector<std::unique_ptr<BoundMemory>> memories;
        for (uint32_t i = 0; i < sources.size(); ++i) {
            rknn_tensor_attr attr = attribute(context, RKNN_QUERY_NATIVE_INPUT_ATTR, i);
            attr.pass_through = 1;
            memories.push_back(std::make_unique<BoundMemory>(context, attr.size_with_stride));
            const DeviceMemory &stored = *process_state().contexts.find(filled)->input_buffer(i);
            std::memcpy(memories.back()->data(), stored.data(), attr.size_with_stride);
            CHECK_EQ(rknn_set_io_mem(context, *memories.back(), &attr), RKNN_SUCC);
        }
        CHECK_EQ(rknn_run(context, nullptr), RKNN_SUCC);
        const auto ours = outputs_of(context, false);
        const auto theirs = outputs_of(filled, false);
        for (size_t i = 0; i < ours.size(); ++i) check_same(named(model, RKNN_TENSOR_FLOAT32), ours[i], theirs[i]);
    }
}

TEST(bound_outputs_hold_what_rknn_outputs_get_gives) {
    use_echo_device(EZ_RKNN_FAKE_DEVICE_PATH);
    for (const char *model : models) {
        for (const int kind :
             {RKNN_QUERY_NATIVE_OUTPUT_ATTR, RKNN_QUERY_NATIVE_NHWC_OUTPUT_ATTR, RKNN_QUERY_OUTPUT_ATTR}) {
            for (const bool want_float : {false, true}) {
                const TestContext context(model_path(model), compute);
                std::vector<std::vector<uint8_t>> sources = sources_of(context, RKNN_TENSOR_FLOAT32);
                CHECK_EQ(set_inputs(context, RKNN_TENSOR_FLOAT32, sources), RKNN_SUCC);
                std::vector<std::unique_ptr<BoundMemory>> memories;
                for (uint32_t i = 0; i < count_of(context).n_output; ++i) {
                    rknn_tensor_attr attr = attribute(context, static_cast<rknn_query_cmd>(kind), i);
                    if (want_float) attr.type = RKNN_TENSOR_FLOAT32;
                    const uint32_t size =
                        want_float ? attribute(context, RKNN_QUERY_OUTPUT_ATTR, i).n_elems * 4 : attr.size;
                    const BoundMemory small(context, size - 1);
                    CHECK_EQ(rknn_set_io_mem(context, small, &attr), RKNN_ERR_PARAM_INVALID);
                    memories.push_back(std::make_unique<BoundMemory>(context, size));
                    CHECK_EQ(rknn_set_io_mem(context, *memories.back(), &attr), RKNN_SUCC);
                }
                CHECK_EQ(rknn_run(context, nullptr), RKNN_SUCC);
                const auto theirs = outputs_of(context, want_float);  // may still be fetched
                for (uint32_t i = 0; i < theirs.size(); ++i) {
                    rknn_tensor_attr bound = attribute(context, static_cast<rknn_query_cmd>(kind), i);
                    const rknn_tensor_attr output = attribute(context, RKNN_QUERY_OUTPUT_ATTR, i);
                    if (want_float) bound.type = RKNN_TENSOR_FLOAT32;
                    const bool dense = bound.fmt == RKNN_TENSOR_NCHW || bound.fmt == RKNN_TENSOR_UNDEFINED ||
                                       (want_float && bound.fmt == RKNN_TENSOR_NC1HWC2);
                    const auto ours = dense ? memories[i]->bytes(theirs[i].size())
                                            : in_onnx_order(output, bound, memories[i]->data());
                    check_same(named(model, bound.type), ours, theirs[i]);
                }
            }
        }
    }
}

TEST(a_context_can_go_back_to_its_own_buffers) {
    use_echo_device(EZ_RKNN_FAKE_DEVICE_PATH);
    const TestContext context(model_path("tiny_conv_int8"), compute);
    std::vector<std::vector<uint8_t>> sources = sources_of(context, RKNN_TENSOR_UINT8);
    CHECK_EQ(set_inputs(context, RKNN_TENSOR_UINT8, sources), RKNN_SUCC);
    CHECK_EQ(rknn_run(context, nullptr), RKNN_SUCC);
    const auto expected = outputs_of(context, false);
    {
        rknn_tensor_attr attr = attribute(context, RKNN_QUERY_NATIVE_INPUT_ATTR);
        const BoundMemory memory(context, attr.size_with_stride);
        CHECK_EQ(rknn_set_io_mem(context, memory, &attr), RKNN_SUCC);
        CHECK_EQ(rknn_run(context, nullptr), RKNN_SUCC);
        CHECK(outputs_of(context, false) != expected);
        CHECK_EQ(set_inputs(context, RKNN_TENSOR_UINT8, sources), RKNN_SUCC);
        CHECK_EQ(rknn_run(context, nullptr), RKNN_SUCC);
        CHECK(outputs_of(context, false) == expected);
    }
    CHECK_EQ(rknn_run(context, nullptr), RKNN_SUCC);  // the memory was destroyed, but nothing is bound to it
}

/* If the compiler has put a task before the network, the NPU fills rows that are shorter than their stride. */
TEST(the_npu_fills_the_ends_of_rows_with_the_value_that_normalises_to_zero) {
    const TestContext context(model_path("read_by_cpu_int8"));  // its mean: 123.675, 116.28, 103.53
    const std::vector<uint8_t> mean = {124, 116, 104};
    const rknn_tensor_attr image = attribute(context, RKNN_QUERY_NATIVE_INPUT_ATTR);
    const size_t row = size_t{image.dims[2]} * image.dims[3], stride = size_t{image.w_stride} * image.dims[3];
    CHECK(row < stride);
    const auto filled = [&](rknn_tensor_type type, bool pass_through) {
        rknn_tensor_attr attr = image;
        attr.type = type;
        attr.pass_through = pass_through ? 1 : 0;
        rknn_tensor_mem *memory = rknn_create_mem(context, bytes_for(attr));
        auto *bytes = static_cast<uint8_t *>(memory->virt_addr);
        std::memset(bytes, 0xAB, memory->size);
        CHECK_EQ(rknn_set_io_mem(context, memory, &attr), RKNN_SUCC);
        CHECK_EQ(rknn_run(context, nullptr), RKNN_SUCC);
        size_t count = 0;
        for (size_t i = 0; i < memory->size; ++i) {
            const bool is_end = i < image.dims[1] * stride && i % stride >= row;
            if (bytes[i] == 0xAB) continue;
            CHECK(is_end);
            CHECK_EQ(int{bytes[i]}, int{mean[i % stride % mean.size()]});
            ++count;
        }
        CHECK_EQ(rknn_destroy_mem(context, memory), RKNN_SUCC);
        return count == image.dims[1] * (stride - row);
    };
    CHECK(filled(RKNN_TENSOR_UINT8, false));
    CHECK(filled(RKNN_TENSOR_INT8, true));
    CHECK(!filled(RKNN_TENSOR_INT8, false));  // converted by the CPU: the NPU does not touch it
    CHECK(!filled(RKNN_TENSOR_FLOAT32, false));
}
