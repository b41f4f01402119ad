/* SPDX-License-Identifier: Apache-2.0 */
/* A .rknn file as the runtime needs it: its tensors and layers, not the values of the weights.
 *
 * A .rknn file is a 64-byte header, a FlatBuffer and a JSON summary. The structures below follow the tables of the
 * FlatBuffer; the numbers of their fields are in fields.h. */
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "rknnrt/base/bytes.h"
#include "rknnrt/file/data_types.h"
#include "rknnrt/file/operator_attributes.h"

namespace ez_rknn::rknnrt {

struct Tensor {
    std::string name;
    DataType type = DataType::opaque;
    Layout layout = Layout::plain;
    TensorKind kind = TensorKind::dummy;
    std::vector<int32_t> native_dims;
    std::vector<int32_t> dims; /* logical, in ONNX order */
    std::vector<float> scales; /* none: it is not quantised */
    std::vector<int32_t> zero_points;
    uint32_t allocated_bytes = 0;
    uint32_t stored_bytes = 0; /* the length of its data in the file; 0 for activations */

    bool quantised() const { return !scales.empty(); }
    float scale() const { return quantised() ? scales.front() : 1.0F; }
    int32_t zero_point() const { return quantised() && !zero_points.empty() ? zero_points.front() : 0; }
};

/* One layer. */
struct Node {
    std::string type;
    std::string name;
    bool on_npu = false;
    /* An operator that only its author can execute: the program registers it. */
    bool custom = false;
    /* Of custom operators only: */
    std::vector<OperatorAttribute> attributes;
    std::vector<uint32_t> operands; /* its inputs without those that the compiler has added */
    /* Of all: */
    std::vector<uint32_t> inputs;
    std::vector<uint32_t> outputs;    /* without unused results */
    std::vector<int32_t> task_counts; /* NPU tasks for 1 core; 2 cores: core 0, 1; 3 cores: core 0, 1, 2 */
    std::vector<int32_t> lut_counts;
    std::vector<int32_t> work_units; /* elements written: 1 core, -, -, 2 cores: core 0, 1, -, 3 cores: core 0, 1, 2 */
};

/* (x - mean) / deviation, for the first four channels of one input. */
struct Normalisation {
    std::array<float, 4> mean{0, 0, 0, 0};
    std::array<float, 4> deviation{1, 1, 1, 1};
};

/* One set of input shapes; a static model has one. */
struct Graph {
    std::vector<Tensor> tensors;
    std::vector<Node> nodes; /* in order of execution */
    std::vector<uint32_t> inputs;
    std::vector<uint32_t> outputs;
    std::vector<Normalisation> normalisations; /* one for each input */
};

struct ModelFile {
    std::string target; /* lower case: "rk3588" */
    std::string toolkit;
    std::string custom_string;
    bool dynamic = false;
    uint32_t batch = 1; /* inferences in one rknn_run */
    uint64_t weight_bytes = 0;
    uint64_t internal_bytes = 0;
    std::vector<Graph> graphs; /* largest shapes first */
};

/* Reads a file. Fails with RKNN_ERR_MODEL_INVALID if anything is wrong; takes a small multiple of its size in memory.
 */
ModelFile parse_model(const Bytes &file);

/* True if the compiler has prepared the graph for this number of cores working together. */
bool supports_cores(const Graph &graph, uint32_t cores);

}  // namespace ez_rknn::rknnrt
