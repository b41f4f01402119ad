#include "model_file.h"

#include <algorithm>
#include <cctype>
#include <cstring>

#include "flatbuffer.h"
#include "other_formats.h"
#include "rknn_abi.h"
#include "status.h"

namespace ez_rknn::simulator {

namespace {

constexpr uint64_t header_size = 64;
constexpr uint64_t oldest_container = 6;
constexpr int32_t newest_schema = 6;
constexpr uint32_t largest_batch = 1024;
constexpr size_t largest_rank = 16;
constexpr float smallest_scale = 1e-30F;
constexpr float largest_scale = 1e30F;

/* The numbers of the fields, table by table. */
namespace root {
constexpr uint32_t schema = 0, graphs = 2, toolkit = 7, target = 8, custom_string = 11, batch = 14, shape_mode = 16,
                   memory = 19, buffers = 20;
}
namespace memory {
constexpr uint32_t weight = 0, internal = 1;
}
namespace graph {
constexpr uint32_t tensors = 0, nodes = 1, inputs = 2, outputs = 3, normalisations = 4;
}
namespace tensor {
constexpr uint32_t type = 0, layout = 1, kind = 2, native_dims = 3, dims = 4, name = 5, scale = 10, zero_point = 11,
                   buffer = 18;
}
namespace node {
constexpr uint32_t type = 1, name = 2, target = 3, inputs = 4, outputs = 5, attributes = 9, task_counts = 10,
                   lut_counts = 11, work_units = 12;
}
namespace normalisation {
constexpr uint32_t mean = 0, deviation = 1;
}

/* Checks what stands around the FlatBuffer and returns the FlatBuffer. */
Bytes unwrap(const Bytes &file) {
    static const uint8_t magic[8] = {'R', 'K', 'N', 'N', 0, 0, 0, 0};
    if (file.size() <= header_size) fail(RKNN_ERR_MODEL_INVALID, "rknn model is too small: ", file.size(), " bytes");
    if (std::memcmp(file.at(0, sizeof magic, "magic"), magic, sizeof magic) != 0) {
        fail(RKNN_ERR_MODEL_INVALID, "invalid RKNN_MAGIC: this is not an RKNPU2 .rknn file, or it is encrypted");
    }
    const uint64_t container = file.u64(8, "container version");
    refuse_other_formats(file, container, oldest_container);
    const uint64_t length = file.u64(16, "FlatBuffer length");
    const Bytes buffer = file.slice(header_size, length, "FlatBuffer");
    const uint64_t json = header_size + length;
    file.at(json + 8, file.u64(json, "length of the JSON summary"), "JSON summary");
    return buffer;
}

std::vector<uint32_t> checked(const std::vector<int32_t> &values, size_t limit, const char *what) {
    for (int32_t value : values) {
        if (value < 0 || static_cast<size_t>(value) >= limit) {
            fail(RKNN_ERR_MODEL_INVALID, "damaged model: ", what, " ", value, " of ", limit);
        }
    }
    return std::vector<uint32_t>(values.begin(), values.end());
}

std::vector<uint32_t> indices(const Table &table, uint32_t field, size_t limit, const char *what) {
    return checked(table.ints(field), limit, what);
}

/* What a layer writes, without the results that nobody wants: those are -1 in the file. */
std::vector<uint32_t> wanted(const Table &table, uint32_t field, size_t limit, const char *what) {
    std::vector<int32_t> values = table.ints(field);
    values.erase(std::remove(values.begin(), values.end(), -1), values.end());
    return checked(values, limit, what);
}

/* Dimensions are positive and few, so that later arithmetic on them can be checked in one place (tensor_port.cpp). */
std::vector<int32_t> dimensions(const Table &table, uint32_t field, const std::string &name) {
    std::vector<int32_t> dims = table.ints(field);
    if (std::any_of(dims.begin(), dims.end(), [](int32_t dim) { return dim < 0; })) {
        fail(RKNN_ERR_MODEL_INVALID, "damaged model: tensor '", name, "' has a negative dimension");
    }
    return dims;
}

Tensor read_tensor(const Table &table, const std::vector<uint32_t> &buffer_sizes) {
    Tensor result;
    result.name = table.string(tensor::name);
    result.type = static_cast<DataType>(table.u8(tensor::type));
    result.layout = static_cast<Layout>(table.u8(tensor::layout));
    result.kind = static_cast<TensorKind>(table.u8(tensor::kind));
    result.native_dims = dimensions(table, tensor::native_dims, result.name);
    result.dims = dimensions(table, tensor::dims, result.name);
    const std::vector<float> scales = table.floats(tensor::scale);
    const std::vector<int32_t> zero_points = table.ints(tensor::zero_point);
    result.quantised = !scales.empty();
    if (!scales.empty()) result.scale = scales.front();
    if (!zero_points.empty()) result.zero_point = zero_points.front();
    const uint32_t buffer = table.u32(tensor::buffer);
    if (buffer != 0 && buffer < buffer_sizes.size()) result.stored_bytes = buffer_sizes[buffer];
    return result;
}

constexpr const char *custom_prefix = "cst";

/* What the file has in the place of attributes is a document only if its length stands at its beginning. */
std::vector<OperatorAttribute> read_attributes(const Table &table, Budget &budget) {
    const Bytes document = table.bytes(node::attributes);
    if (document.size() < 4 || document.u32(0, "length of attributes") != document.size()) return {};
    budget.charge(8 * static_cast<uint64_t>(document.size()));
    return read_operator_attributes(document);
}

Node read_node(const Table &table, size_t tensor_count, Budget &budget) {
    Node result;
    result.type = table.string(node::type);
    result.name = table.string(node::name);
    result.on_npu = table.u8(node::target) == 2;
    result.custom = result.type.rfind(custom_prefix, 0) == 0;
    if (result.custom) result.attributes = read_attributes(table, budget);
    result.inputs = indices(table, node::inputs, tensor_count, "a layer reads tensor");
    result.outputs = wanted(table, node::outputs, tensor_count, "a layer writes tensor");
    result.task_counts = table.ints(node::task_counts);
    result.lut_counts = table.ints(node::lut_counts);
    result.work_units = table.ints(node::work_units);
    return result;
}

Normalisation read_normalisation(const Table &table) {
    Normalisation result;
    const std::vector<float> mean = table.floats(normalisation::mean);
    const std::vector<float> deviation = table.floats(normalisation::deviation);
    std::copy_n(mean.begin(), std::min(mean.size(), result.mean.size()), result.mean.begin());
    std::copy_n(deviation.begin(), std::min(deviation.size(), result.deviation.size()), result.deviation.begin());
    return result;
}

/* An input or output must be something that the interface can describe and a buffer can hold. */
void check_port(const Tensor &port) {
    if (port.dims.size() > largest_rank || port.native_dims.size() > largest_rank) {
        fail(RKNN_ERR_MODEL_INVALID, "damaged model: tensor '", port.name, "' has ", port.dims.size(), " dimensions");
    }
    if (bits_of(port.type) < 8) {
        fail(RKNN_ERR_MODEL_INVALID, "tensor '", port.name, "' has element type ", static_cast<int>(port.type),
             ", which no input or output can have");
    }
    for (const std::vector<int32_t> *dims : {&port.dims, &port.native_dims}) {
        if (std::find(dims->begin(), dims->end(), 0) != dims->end()) {
            fail(RKNN_ERR_MODEL_INVALID, "damaged model: tensor '", port.name, "' has a dimension of 0");
        }
    }
    const bool integer = port.type == DataType::int8 || port.type == DataType::uint8 || port.type == DataType::int16;
    if (integer && !(port.scale > smallest_scale && port.scale < largest_scale)) {
        fail(RKNN_ERR_MODEL_INVALID, "damaged model: tensor '", port.name, "' has scale ", port.scale);
    }
    if (integer && (port.zero_point < INT16_MIN || port.zero_point > INT16_MAX)) {
        fail(RKNN_ERR_MODEL_INVALID, "damaged model: tensor '", port.name, "' has zero point ", port.zero_point);
    }
}

/* The operands of custom operators: what is computed before, and constants. The rest is scratch space. */
void find_operands(Graph &graph, Budget &budget) {
    std::vector<bool> known(graph.tensors.size(), false);
    for (uint32_t index : graph.inputs) known[index] = true;
    for (Node &node : graph.nodes) {
        for (uint32_t index : node.outputs) known[index] = true;
        if (!node.custom) continue;
        for (uint32_t index : node.inputs) {
            const TensorKind kind = graph.tensors[index].kind;
            if (known[index] || kind == TensorKind::weight || kind == TensorKind::constant) {
                node.operands.push_back(index);
            }
        }
        budget.charge(node.operands.size() * sizeof(uint32_t));
        for (const auto *tensors : {&node.operands, &node.outputs}) {
            for (uint32_t index : *tensors) check_port(graph.tensors[index]);
        }
    }
}

Graph read_graph(const Table &table, const std::vector<uint32_t> &buffer_sizes, Budget &budget) {
    Graph result;
    for (const Table &entry : table.tables(graph::tensors)) {
        budget.charge(sizeof(Tensor));
        result.tensors.push_back(read_tensor(entry, buffer_sizes));
    }
    for (const Table &entry : table.tables(graph::nodes)) {
        budget.charge(sizeof(Node));
        result.nodes.push_back(read_node(entry, result.tensors.size(), budget));
    }
    result.inputs = indices(table, graph::inputs, result.tensors.size(), "the graph's input is tensor");
    result.outputs = indices(table, graph::outputs, result.tensors.size(), "the graph's output is tensor");
    if (result.outputs.empty()) fail(RKNN_ERR_MODEL_INVALID, "damaged model: the graph has no outputs");
    for (uint32_t index : result.inputs) check_port(result.tensors[index]);
    for (uint32_t index : result.outputs) check_port(result.tensors[index]);
    find_operands(result, budget);
    for (const Table &entry : table.tables(graph::normalisations)) {
        result.normalisations.push_back(read_normalisation(entry));
    }
    result.normalisations.resize(result.inputs.size());
    return result;
}

uint32_t batch_of(const std::string &text) {
    uint32_t batch = 0;
    for (char digit : text) {
        if (std::isdigit(static_cast<unsigned char>(digit)) == 0) {
            fail(RKNN_ERR_MODEL_INVALID, "damaged model: batch size '", text, "'");
        }
        batch = batch * 10 + static_cast<uint32_t>(digit - '0');
        if (batch > largest_batch) fail(RKNN_ERR_MODEL_INVALID, "batch size ", text, " is above ", largest_batch);
    }
    return std::max(batch, 1U);
}

}  // namespace

uint32_t bits_of(DataType type) {
    switch (type) {
        case DataType::int4:
            return 4;
        case DataType::uint8:
        case DataType::int8:
        case DataType::boolean:
            return 8;
        case DataType::uint16:
        case DataType::int16:
        case DataType::float16:
        case DataType::bfloat16:
            return 16;
        case DataType::float32:
        case DataType::int32:
        case DataType::uint32:
            return 32;
        case DataType::int64:
        case DataType::uint64:
            return 64;
        case DataType::opaque:
            break;
    }
    return 0;
}

ModelFile parse_model(const Bytes &file) {
    const Bytes buffer = unwrap(file);
    Budget budget(16 * static_cast<uint64_t>(buffer.size()) + 65536);
    const Table table = Table::root(buffer, budget);
    const int32_t schema = table.i32(root::schema);
    if (schema > newest_schema) {
        fail(RKNN_ERR_MODEL_INVALID, "RKNN model version is ", schema,
             ", but the simulated NPU supports model version <= ", newest_schema);
    }
    ModelFile model;
    model.target = table.string(root::target);
    std::transform(model.target.begin(), model.target.end(), model.target.begin(),
                   [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
    model.toolkit = table.string(root::toolkit);
    model.custom_string = table.string(root::custom_string);
    model.dynamic = table.string(root::shape_mode) == "dynamic_shape";
    model.batch = batch_of(table.string(root::batch));
    if (table.has(root::memory)) {
        const Table sizes = table.table(root::memory);
        model.weight_bytes = sizes.u64(memory::weight);
        model.internal_bytes = sizes.u64(memory::internal);
    }
    std::vector<uint32_t> buffer_sizes;
    for (const Table &entry : table.tables(root::buffers)) buffer_sizes.push_back(entry.byte_count(0));
    for (const Table &entry : table.tables(root::graphs)) {
        budget.charge(sizeof(Graph));
        model.graphs.push_back(read_graph(entry, buffer_sizes, budget));
    }
    if (model.graphs.empty()) fail(RKNN_ERR_MODEL_INVALID, "damaged model: it has no graph");
    for (const Graph &graph : model.graphs) {
        if (graph.inputs.size() != model.graphs[0].inputs.size() ||
            graph.outputs.size() != model.graphs[0].outputs.size()) {
            fail(RKNN_ERR_MODEL_INVALID, "damaged model: its graphs differ in their inputs or outputs");
        }
    }
    return model;
}

}  // namespace ez_rknn::simulator
