/* SPDX-License-Identifier: Apache-2.0 */
#include "rknnrt/file/model_file.h"

#include <algorithm>
#include <cmath>

#include "rknn_abi.h"
#include "rknnrt/base/sizes.h"
#include "rknnrt/base/status.h"
#include "rknnrt/base/text.h"
#include "rknnrt/file/container.h"
#include "rknnrt/file/fields.h"
#include "rknnrt/file/flatbuffer.h"
#include "rknnrt/file/node_reader.h"
#include "rknnrt/file/ports.h"
#include "rknnrt/file/schema.h"
#include "rknnrt/file/schema_check.h"

namespace ez_rknn::rknnrt {

namespace {

constexpr int32_t newest_schema = 6;
constexpr uint32_t largest_batch = 1024;
constexpr size_t most_digits = 9;
constexpr size_t largest_native_rank = 5; /* NC1HWC2 */
constexpr float smallest_deviation = 1e-30F;

/* The limit of an intermediate tensor: this multiple of the memory that the file plans, and what is always allowed. */
constexpr uint64_t memory_factor = 4;
constexpr uint64_t spare_memory = 1024 * 1024;

/* The parts of a file that describe its graphs from outside. */
struct Surroundings {
    Bytes buffer;
    std::vector<uint32_t> data_sizes; /* of the buffers with the data of tensors */
    int32_t toolkit = 0;
    uint32_t batch = 1;
    uint64_t internal_bytes = 0;
};

/* ---- Tensors ---- */

/* An empty tensor is legal, but its other sizes must make sense too. A packed weight has the sizes of several blocks in
 * a row. */
void check_dimensions(const std::vector<int32_t> &dims, bool packed, const std::string &name) {
    uint64_t elements = 1;
    for (int32_t size : dims) {
        if (size < 0) fail(RKNN_ERR_MODEL_INVALID, "damaged model: tensor '", name, "' has a negative dimension");
        elements = times(elements, static_cast<uint64_t>(std::max(size, 1)));
    }
    if (!packed && elements > largest_size) {
        fail(RKNN_ERR_MODEL_INVALID, "damaged model: tensor '", name, "' has too many elements");
    }
}

void check_scales(const Tensor &tensor) {
    if (!tensor.quantised()) return;
    if (!std::all_of(tensor.scales.begin(), tensor.scales.end(), [](float scale) { return std::isfinite(scale); })) {
        fail(RKNN_ERR_MODEL_INVALID, "damaged model: tensor '", tensor.name, "' has a scale that is no number");
    }
    if (!tensor.zero_points.empty() && tensor.zero_points.size() != tensor.scales.size()) {
        fail(RKNN_ERR_MODEL_INVALID, "damaged model: tensor '", tensor.name, "' has ", tensor.scales.size(),
             " scales and ", tensor.zero_points.size(), " zero points");
    }
}

uint32_t stored_bytes(const Tensor &tensor, uint32_t buffer, const std::vector<uint32_t> &data_sizes) {
    if (buffer == 0 && data_sizes.empty()) return 0;
    if (buffer >= data_sizes.size()) {
        fail(RKNN_ERR_MODEL_INVALID, "damaged model: tensor '", tensor.name, "' names buffer ", buffer, " of ",
             data_sizes.size());
    }
    return buffer == 0 ? 0 : data_sizes[buffer];
}

Tensor read_tensor(const Table &table, const Surroundings &file) {
    namespace field = fields::tensor;
    Tensor result;
    result.name = table.string(field::name);
    result.type = data_type_of(table.u8(field::type));
    result.layout = layout_of(table.u8(field::layout));
    result.kind = tensor_kind_of(table.u8(field::kind));
    result.native_dims = table.ints(field::native_dims);
    result.dims = table.ints(field::dims);
    check_dimensions(result.dims, false, result.name);
    check_dimensions(result.native_dims, result.native_dims.size() > largest_native_rank, result.name);
    result.scales = table.floats(field::scale);
    result.zero_points = table.ints(field::zero_point);
    check_scales(result);
    result.allocated_bytes = table.u32(field::size);
    result.stored_bytes = stored_bytes(result, table.u32(field::buffer), file.data_sizes);
    return result;
}

/* Refuses intermediate tensors far larger than the memory that the compiler has planned for all of them. */
void check_memory(const Graph &graph, uint64_t internal_bytes) {
    uint64_t planned = std::min(internal_bytes, largest_size * largest_size);
    for (const auto *indices : {&graph.inputs, &graph.outputs}) {
        for (uint32_t index : *indices) planned += graph.tensors[index].allocated_bytes;
    }
    const uint64_t room =
        planned < largest_size * largest_size / 8 ? memory_factor * planned + spare_memory : UINT64_MAX;
    for (const Tensor &tensor : graph.tensors) {
        if (tensor.kind != TensorKind::intermediate) continue;
        const uint64_t element = is_convertible(tensor.type) ? bits_of(tensor.type) / 8 : 1;
        if (product_of(tensor.dims) * element > room) {
            fail(RKNN_ERR_MODEL_INVALID, "damaged model: tensor '", tensor.name, "' is larger than the ",
                 internal_bytes, " bytes for all that is intermediate allow");
        }
    }
}

/* ---- Graphs ---- */

bool is_nothing(const std::vector<float> &mean, const std::vector<float> &deviation) {
    return std::all_of(mean.begin(), mean.end(), [](float value) { return value == 0; }) &&
           std::all_of(deviation.begin(), deviation.end(), [](float value) { return value == 1; });
}

/* Reads one value for each channel; further values in the file are meaningless. */
Normalisation read_normalisation(const Table &table, const Tensor &input) {
    const size_t channels = input.dims.size() > 1 ? static_cast<size_t>(input.dims[1]) : 1;
    std::vector<float> mean = table.floats(fields::normalisation::mean);
    std::vector<float> deviation = table.floats(fields::normalisation::deviation);
    mean.resize(std::min(mean.size(), channels));
    deviation.resize(std::min(deviation.size(), channels));
    Normalisation result;
    if (is_nothing(mean, deviation)) return result;
    const bool finite = std::all_of(mean.begin(), mean.end(), [](float value) { return std::isfinite(value); }) &&
                        std::all_of(deviation.begin(), deviation.end(), [](float value) {
                            return std::isfinite(value) && std::fabs(value) > smallest_deviation;
                        });
    if (mean.size() != channels || deviation.size() != channels || !finite) {
        fail(RKNN_ERR_MODEL_INVALID, "damaged model: the ", channels, " channels of input '", input.name,
             "' have an impossible mean or standard deviation");
    }
    std::copy_n(mean.begin(), std::min(channels, result.mean.size()), result.mean.begin());
    std::copy_n(deviation.begin(), std::min(channels, result.deviation.size()), result.deviation.begin());
    return result;
}

void read_normalisations(const Table &table, Graph &graph) {
    const std::vector<Table> entries = table.tables(fields::graph::normalisations);
    graph.normalisations.resize(graph.inputs.size());
    for (size_t i = 0; i < std::min(entries.size(), graph.inputs.size()); ++i) {
        graph.normalisations[i] = read_normalisation(entries[i], graph.tensors[graph.inputs[i]]);
    }
}

Graph read_graph(const Table &table, const Surroundings &file, SchemaCheck &check) {
    namespace field = fields::graph;
    Graph result;
    for (const Table &entry : table.tables(field::tensors)) result.tensors.push_back(read_tensor(entry, file));
    const size_t count = result.tensors.size();
    result.nodes = read_nodes(file.buffer, table.tables(field::nodes), count, file.toolkit, check);
    result.inputs = checked_indices(table.ints(field::inputs), count, "the graph's input is tensor");
    result.outputs = checked_indices(table.ints(field::outputs), count, "the graph's output is tensor");
    read_normalisations(table, result);
    check_ports(result, file.batch);
    check_memory(result, file.internal_bytes);
    find_operands(result);
    return result;
}

/* ---- The model ---- */

uint32_t batch_of(const std::string &text) {
    uint32_t batch = 0;
    for (char digit : text) {
        if (digit < '0' || digit > '9' || text.size() > most_digits) {
            fail(RKNN_ERR_MODEL_INVALID, "damaged model: batch size '", text.substr(0, 20), "'");
        }
        batch = batch * 10 + static_cast<uint32_t>(digit - '0');
    }
    if (batch > largest_batch) fail(RKNN_ERR_MODEL_INVALID, "batch size ", text, " is above ", largest_batch);
    return std::max(batch, 1U);
}

void check_versions(int32_t schema, int32_t toolkit) {
    if (schema > newest_schema) {
        fail(RKNN_ERR_MODEL_INVALID, "RKNN model version is ", schema,
             ", but this runtime supports model version <= ", newest_schema);
    }
    if (schema < 1 || toolkit < 0) {
        fail(RKNN_ERR_MODEL_INVALID, "damaged model: it gives model version ", schema, " and toolkit version ",
             toolkit);
    }
}

ModelFile read_root(const Table &table) {
    namespace field = fields::root;
    ModelFile model;
    model.target = lower(table.string(field::target));
    model.toolkit = table.string(field::compiler);
    model.custom_string = table.string(field::custom_string);
    model.dynamic = table.string(field::shape_mode) == "dynamic_shape";
    model.batch = batch_of(table.string(field::batch));
    return model;
}

void read_memory(const Bytes &buffer, const Table &table, ModelFile &model) {
    if (!table.has(fields::root::memory)) return;
    const Table sizes(buffer, table.position(fields::root::memory));
    model.weight_bytes = sizes.u64(fields::memory::weight);
    model.internal_bytes = sizes.u64(fields::memory::internal);
}

}  // namespace

ModelFile parse_model(const Bytes &file) {
    namespace field = fields::root;
    const Bytes buffer = open_container(file);
    SchemaCheck check(buffer);
    const uint64_t root = check.target(0);
    check.table(root, header_schema);
    check.table(root, root_schema);
    const Table table(buffer, root);
    check_versions(table.i32(field::schema), table.i32(field::toolkit));
    ModelFile model = read_root(table);
    read_memory(buffer, table, model);
    Surroundings surroundings{buffer, {}, table.i32(field::toolkit), model.batch, model.internal_bytes};
    for (const Table &entry : table.tables(field::buffers)) {
        surroundings.data_sizes.push_back(entry.count(fields::buffer::data, 1));
    }
    for (const Table &entry : table.tables(field::graphs)) {
        model.graphs.push_back(read_graph(entry, surroundings, check));
    }
    if (model.graphs.empty()) fail(RKNN_ERR_MODEL_INVALID, "damaged model: it has no graph");
    check_same_ports(model.graphs);
    return model;
}

bool supports_cores(const Graph &graph, uint32_t cores) {
    // Task counts are listed 1 core; 2 cores: core 0, 1; 3 cores: core 0, 1, 2.
    const size_t first = cores == 2 ? 1 : 3;
    return cores == 1 || std::any_of(graph.nodes.begin(), graph.nodes.end(), [&](const Node &node) {
               return node.task_counts.size() > first && node.task_counts[first] > 0;
           });
}

}  // namespace ez_rknn::rknnrt
