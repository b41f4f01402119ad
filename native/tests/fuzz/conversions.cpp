/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/conversions.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <optional>
#include <vector>

#include "devices/simulated/load_input.h"
#include "rknn_abi.h"
#include "rknnrt/base/bytes.h"
#include "rknnrt/base/status.h"
#include "rknnrt/device/soc.h"
#include "rknnrt/file/model_file.h"
#include "rknnrt/tensors/convert_input.h"
#include "rknnrt/tensors/convert_output.h"
#include "rknnrt/tensors/tensor_port.h"

namespace ez_rknn::tests::fuzz {

namespace {

using namespace ez_rknn::rknnrt;
using namespace ez_rknn::rknnrt::simulated;

constexpr uint64_t most_bytes = 1024 * 1024;

bool is_small(const TensorPort &port) {
    return uint64_t{port.total_elements()} * 8 <= most_bytes && uint64_t{port.stored_bytes} * port.batch <= most_bytes;
}

/* Converts the program's input into the NPU's buffer and back. */
void convert_input(const TensorPort &port, int32_t type, int32_t format, bool pass_through) {
    std::vector<uint8_t> source(static_cast<size_t>(port.total_elements()) * element_size(type), uint8_t{0x7E});
    std::vector<uint8_t> stored(static_cast<size_t>(std::max(port.stored_bytes, port.dense_bytes)) * port.batch);
    rknn_input input{};
    input.buf = source.data();
    input.size = static_cast<uint32_t>(source.size());
    input.pass_through = pass_through ? 1 : 0;
    put_number(input.type, type);
    put_number(input.fmt, format);
    std::optional<InputReading> reading;
    try {
        reading = store_input(port, input, 0, stored.data(), stored.size());
    } catch (const StatusError &) {
        return;
    }
    if (!reading) return;
    std::vector<uint8_t> dense(port.dense_bytes);
    for (size_t inference = 0; inference < port.batch; ++inference) {
        load_input(port, *reading, stored.data() + inference * port.stored_bytes, dense.data());
    }
}

void convert_inputs(const Graph &graph, uint32_t batch, const Soc &soc, Choice &choice) {
    for (size_t i = 0; i < graph.inputs.size(); ++i) {
        const TensorPort port = make_input_port(graph, i, batch, soc);
        if (!is_small(port)) continue;
        for (int round = 0; round < 4; ++round) {
            convert_input(port, any_type(choice), any_format(choice), choice.below(4) == 0);
        }
    }
}

void convert_outputs(const Graph &graph, uint32_t batch, const Soc &soc) {
    for (size_t i = 0; i < graph.outputs.size(); ++i) {
        const TensorPort port = make_output_port(graph, i, batch, soc);
        if (!is_small(port)) continue;
        std::vector<uint8_t> dense(output_bytes(port, false));
        fill_with_zero(port, port.total_elements(), dense.data());
        for (const bool want_float : {false, true}) {
            std::vector<uint8_t> to(output_bytes(port, want_float));
            convert_output(port, want_float, dense.data(), to.data());
        }
    }
}

/* Reads attributes as a custom operator gets them, to the last element. */
void read_attributes(const Node &node) {
    for (const OperatorAttribute &attribute : node.attributes) {
        const size_t size = attribute.count == 0                    ? 0
                            : attribute.type == RKNN_TENSOR_INT64   ? 8
                            : attribute.type == RKNN_TENSOR_FLOAT32 ? 4
                                                                    : 1;
        std::vector<uint8_t> copy(attribute.count * size);
        if (!copy.empty()) std::memcpy(copy.data(), attribute.data.data(), copy.size());
    }
}

}  // namespace

int32_t any_type(Choice &choice) {
    constexpr int32_t usual[] = {RKNN_TENSOR_FLOAT32, RKNN_TENSOR_FLOAT16, RKNN_TENSOR_UINT8, RKNN_TENSOR_INT8,
                                 RKNN_TENSOR_INT64,   RKNN_TENSOR_INT32,   RKNN_TENSOR_BOOL};
    if (choice.below(4) != 0) return usual[choice.below(static_cast<uint32_t>(std::size(usual)))];
    return static_cast<int32_t>(choice.below(RKNN_TENSOR_TYPE_MAX + 2)) - 1;
}

int32_t any_format(Choice &choice) {
    if (choice.below(4) != 0) return RKNN_TENSOR_NHWC;
    return static_cast<int32_t>(choice.below(RKNN_TENSOR_FORMAT_MAX + 2)) - 1;
}

uint32_t element_size(int32_t type) {
    constexpr uint32_t sizes[] = {4, 2, 1, 1, 2, 2, 4, 4, 8, 1, 1, 2};
    return type < 0 || type >= RKNN_TENSOR_TYPE_MAX ? 1 : sizes[type];
}

void convert_all(const uint8_t *data, size_t size, Choice choice) {
    const ModelFile file = parse_model(Bytes(data, size));
    const Soc &soc = *find_soc(file.target);
    for (const Graph &graph : file.graphs) {
        convert_inputs(graph, file.batch, soc, choice);
        convert_outputs(graph, file.batch, soc);
        for (const Node &node : graph.nodes) read_attributes(node);
    }
}

}  // namespace ez_rknn::tests::fuzz
