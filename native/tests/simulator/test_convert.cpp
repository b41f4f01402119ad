/* SPDX-License-Identifier: Apache-2.0 */
/* Conversions: the NPU reads the values given to rknn_inputs_set, and rknn_outputs_get returns the values computed. */
#include <algorithm>
#include <cmath>
#include <cstring>

#include "devices/simulated/load_input.h"
#include "rknnrt/base/half.h"
#include "rknnrt/base/status.h"
#include "rknnrt/tensors/convert_input.h"
#include "rknnrt/tensors/convert_output.h"
#include "rknnrt/tensors/normalise_input.h"
#include "tests/check.h"
#include "tests/simulator/support.h"

using namespace ez_rknn::tests;
using namespace ez_rknn::rknnrt;
using namespace ez_rknn::rknnrt::simulated;

namespace {

TensorPort input_port(const std::string &model, size_t index = 0) {
    const std::string file = read_file(model_path(model));
    const ModelFile parsed = parse_model(Bytes(file.data(), file.size()));
    return make_input_port(parsed.graphs[0], index, parsed.batch, *find_soc(parsed.target));
}

/* Converts through both steps: from NHWC floats to the NPU's values, in ONNX order, one inference. */
template <typename Source>
std::vector<uint8_t> read_by_npu(const TensorPort &port, const std::vector<Source> &source, rknn_tensor_type type) {
    std::vector<uint8_t> stored(static_cast<size_t>(port.stored_bytes) * port.batch);
    std::vector<uint8_t> dense(port.dense_bytes);
    rknn_input input{};
    input.buf = const_cast<Source *>(source.data());
    input.size = static_cast<uint32_t>(source.size() * sizeof(Source));
    input.type = type;
    input.fmt = RKNN_TENSOR_NHWC;
    const auto reading = store_input(port, input, 0, stored.data(), stored.size());
    CHECK(reading.has_value());
    if (reading) load_input(port, *reading, stored.data(), dense.data());
    return dense;
}

/* The index of element (channel, y, x) in an NHWC array. */
size_t nhwc(const TensorPort &port, uint32_t channel, uint32_t y, uint32_t x) {
    return (static_cast<size_t>(y) * port.w + x) * port.c + channel;
}
size_t nchw(const TensorPort &port, uint32_t channel, uint32_t y, uint32_t x) {
    return (static_cast<size_t>(channel) * port.h + y) * port.w + x;
}

template <typename Visit>
void each_element(const TensorPort &port, Visit visit) {
    for (uint32_t channel = 0; channel < port.c; ++channel) {
        for (uint32_t y = 0; y < port.h; ++y) {
            for (uint32_t x = 0; x < port.w; ++x) visit(channel, y, x);
        }
    }
}

}  // namespace

TEST(float_images_arrive_as_halves_in_onnx_order) {
    for (const char *model : {"conv_c1_fp16", "tiny_conv_fp16", "conv_c4_fp16", "conv_c5_fp16", "conv_c16_fp16",
                              "odd_size_fp16", "rk3566_block_fp16"}) {
        const TensorPort port = input_port(model);
        std::vector<float> source(port.elements);
        for (size_t i = 0; i < source.size(); ++i) source[i] = static_cast<float>(i % 1000) / 8;
        const std::vector<uint8_t> dense = read_by_npu(port, source, RKNN_TENSOR_FLOAT32);
        size_t wrong = 0;
        each_element(port, [&](uint32_t channel, uint32_t y, uint32_t x) {
            uint16_t half = 0;
            std::memcpy(&half, &dense[2 * nchw(port, channel, y, x)], sizeof half);
            if (half != half_from_float(source[nhwc(port, channel, y, x)])) ++wrong;
        });
        CHECK_EQ(wrong, 0U);
    }
}

TEST(pixels_arrive_quantised_as_the_same_floats_do) {
    for (const char *model : {"conv_c1_int8", "tiny_conv_int8", "conv_c4_int8", "conv_c5_int8", "conv_c16_int8",
                              "odd_size_int8", "mean_std_int8", "rk3566_block_int8"}) {
        const TensorPort port = input_port(model);
        std::vector<uint8_t> bytes(port.elements);
        std::vector<float> numbers(port.elements);
        for (size_t i = 0; i < bytes.size(); ++i) numbers[i] = bytes[i] = static_cast<uint8_t>(i * 7);
        CHECK(read_by_npu(port, bytes, RKNN_TENSOR_UINT8) == read_by_npu(port, numbers, RKNN_TENSOR_FLOAT32));
    }
}

TEST(quantised_images_are_within_one_step_of_the_real_number) {
    const TensorPort port = input_port("mean_std_int8");
    std::vector<float> source(port.elements);
    for (size_t i = 0; i < source.size(); ++i) source[i] = static_cast<float>(i % 256);
    const std::vector<uint8_t> dense = read_by_npu(port, source, RKNN_TENSOR_FLOAT32);
    each_element(port, [&](uint32_t channel, uint32_t y, uint32_t x) {
        const auto quantised = static_cast<int8_t>(dense[nchw(port, channel, y, x)]);
        const double real = (source[nhwc(port, channel, y, x)] - port.normalisation.mean[channel]) /
                            port.normalisation.deviation[channel];
        const double ideal = std::fmin(127, std::fmax(-128, real / port.scale + port.zero_point));
        CHECK(std::fabs(quantised - ideal) <= 1.01);
    });
}

TEST(indices_are_widened_and_fractions_cut_off) {
    const TensorPort port = input_port("tokens_fp16");
    CHECK(port.type == DataType::int64);
    const std::vector<int32_t> whole(port.elements, -3);
    const std::vector<float> fraction(port.elements, -3.9F);
    for (const auto &dense :
         {read_by_npu(port, whole, RKNN_TENSOR_INT32), read_by_npu(port, fraction, RKNN_TENSOR_FLOAT32)}) {
        int64_t first = 0;
        std::memcpy(&first, dense.data(), sizeof first);
        CHECK_EQ(first, -3);
    }
}

TEST(zero_is_the_zero_point) {
    TensorPort port;
    port.type = DataType::int8;
    port.element_size = 1;
    port.zero_point = -7;
    port.scale = 0.25F;
    port.elements = 3;
    std::vector<uint8_t> quantised(3);
    std::vector<float> real(3, 1.F);
    fill_with_zero(port, 3, quantised.data());
    convert_output(port, true, quantised.data(), real.data());
    CHECK(real == std::vector<float>(3, 0.F));
    quantised[1] = 1;
    convert_output(port, true, quantised.data(), real.data());
    CHECK_EQ(real[1], 2.F);
    CHECK_EQ(output_bytes(port, true), 12U);
    CHECK_EQ(output_bytes(port, false), 3U);
}

TEST(a_type_without_a_conversion_is_refused_and_nothing_is_written) {
    // The reader of files refuses such inputs and outputs; the conversions must not depend on that.
    for (const DataType type : {DataType::uint16, DataType::uint32, DataType::uint64, DataType::float64, DataType::int4,
                                DataType::opaque, DataType::unknown}) {
        TensorPort port;
        port.type = type;
        port.dims = {4};
        port.elements = 4;
        port.element_size = std::max(1U, bits_of(type) / 8);
        port.dense_bytes = port.stored_bytes = 4 * port.element_size;
        std::vector<uint8_t> stored(port.stored_bytes, uint8_t{0xCD});
        const std::vector<float> source(4, 1.F);
        int refusals = 0;
        for (const rknn_tensor_type from : {RKNN_TENSOR_FLOAT32, RKNN_TENSOR_UINT8, RKNN_TENSOR_INT16}) {
            try {
                normalise_input(port, from, source.data(), stored.data());
            } catch (const StatusError &) {
                ++refusals;
            }
        }
        std::vector<uint8_t> floats(4 * sizeof(float), uint8_t{0xCD});
        try {
            convert_output(port, true, stored.data(), floats.data());
        } catch (const StatusError &) {
            ++refusals;
        }
        CHECK_EQ(refusals, 4);
        CHECK(stored == std::vector<uint8_t>(stored.size(), uint8_t{0xCD}));
        CHECK(floats == std::vector<uint8_t>(floats.size(), uint8_t{0xCD}));
    }
}
