/* A .rknn file as the simulated runtime needs it: what its tensors and layers are, not what their weights say.
 *
 * A .rknn file is a 64-byte header, a FlatBuffer and a JSON summary (which nothing here needs). The structures below
 * follow the tables of the FlatBuffer; the numbers of their fields are in model_file.cpp. */
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "bytes.h"
#include "operator_attributes.h"

namespace ez_rknn::simulator {

/* Element types, numbered as ONNX does. */
enum class DataType : uint8_t {
    opaque = 0,
    float32 = 1,
    uint8 = 2,
    int8 = 3,
    uint16 = 4,
    int16 = 5,
    int32 = 6,
    int64 = 7,
    boolean = 9,
    float16 = 10,
    uint32 = 12,
    uint64 = 13,
    bfloat16 = 16,
    int4 = 64,
};

/* Bits that one element takes; 0 for a type that is not known. */
uint32_t bits_of(DataType type);

enum class Layout : uint8_t { plain = 0, nhwc = 1, nchw = 2, nc1hwc2 = 64, packed_weight = 65 };

enum class TensorKind : uint8_t {
    dummy = 0,
    input = 1,
    output = 2,
    intermediate = 3,
    weight = 4,
    constant = 5,
    helper = 8 /* the compiler's own */
};

struct Tensor {
    std::string name;
    DataType type = DataType::opaque;
    Layout layout = Layout::plain;
    TensorKind kind = TensorKind::dummy;
    std::vector<int32_t> native_dims;
    std::vector<int32_t> dims; /* logical, in ONNX order */
    bool quantised = false;    /* the two below are in the file */
    float scale = 1.0F;
    int32_t zero_point = 0;
    uint32_t stored_bytes = 0; /* the length of its data in the file; 0 for activations */
};

/* One layer. */
struct Node {
    std::string type;
    std::string name;
    bool on_npu = false;
    /* An operator that only its author can execute: the program that runs the model registers it. */
    bool custom = false;
    /* Of custom operators only: */
    std::vector<OperatorAttribute> attributes;
    std::vector<uint32_t> operands; /* its inputs without what the compiler has added for itself */
    /* Of all: */
    std::vector<uint32_t> inputs;
    std::vector<uint32_t> outputs;
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
    uint32_t batch = 1; /* how many times one rknn_run runs the graph */
    uint64_t weight_bytes = 0;
    uint64_t internal_bytes = 0;
    std::vector<Graph> graphs; /* largest shapes first */
};

/* Reads a file. Whatever is wrong with it is RKNN_ERR_MODEL_INVALID; memory stays within a small multiple of its size.
 */
ModelFile parse_model(const Bytes &file);

}  // namespace ez_rknn::simulator
