/* SPDX-License-Identifier: Apache-2.0 */
#include "rknnrt/file/node_reader.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "rknn_abi.h"
#include "rknnrt/base/status.h"
#include "rknnrt/base/utf8.h"
#include "rknnrt/file/bson.h"
#include "rknnrt/file/execution_order.h"
#include "rknnrt/file/fields.h"
#include "rknnrt/file/ports.h"
#include "rknnrt/file/schema.h"

namespace ez_rknn::rknnrt {

namespace {

namespace field = fields::node;

constexpr size_t longest_type = 255; /* characters */
constexpr const char *custom_prefix = "cst";
constexpr uint8_t npu = 2;                   /* field 3 */
constexpr int32_t unwanted = -1;             /* a result that nothing reads; so is tensor 0 */
constexpr size_t most_custom_operands = 256; /* each has its own description of some hundred bytes */

bool starts_with(const std::string &text, const char *prefix) {
    return text.rfind(prefix, 0) == 0;
}

/* True for an empty node, which RK3562 and RK3566 models that run on the CPU alone have at the end. */
bool is_blank(const Table &table) {
    return table.string(field::type).empty() && table.count(field::inputs, 4) == 0 &&
           table.count(field::outputs, 4) == 0;
}

size_t least_inputs(const std::string &type) {
    if (type == "InputOperator") return 0;
    return starts_with(type, "Conv") ? 2 : 1;  // data and weight
}

/* Fused operators have one name; the longest seen has 25 characters. */
void check_type(const std::string &type) {
    if (utf8_length(reinterpret_cast<const uint8_t *>(type.data()), type.size()) > longest_type) {
        fail(RKNN_ERR_MODEL_INVALID, "damaged model: an operator has a name of ", type.size(), " bytes");
    }
}

/* Refuses operators without the inputs that they need, and custom ones with too many. */
void check_operands(const Node &node) {
    const size_t outputs = node.outputs.size();
    if (node.inputs.size() < least_inputs(node.type) || (outputs == 0 && node.type != "OutputOperator")) {
        fail(RKNN_ERR_MODEL_INVALID, "damaged model: operator '", node.type, "' has ", node.inputs.size(),
             " inputs and ", outputs, " outputs");
    }
    if (node.custom && std::max(node.inputs.size(), outputs) > most_custom_operands) {
        fail(RKNN_ERR_MODEL_INVALID, "damaged model: the custom operator '", node.type, "' has ", node.inputs.size(),
             " inputs and ", outputs, " outputs; ", most_custom_operands, " are possible");
    }
}

std::vector<int32_t> read_counts(const Table &table, uint32_t number, const Node &node) {
    std::vector<int32_t> counts = table.ints(number);
    if (std::any_of(counts.begin(), counts.end(), [](int32_t count) { return count < 0; })) {
        fail(RKNN_ERR_MODEL_INVALID, "damaged model: operator '", node.type, "' has a negative number of tasks");
    }
    return counts;
}

/* The typed parameters of one node. */
class Parameters {
  public:
    Parameters(const Bytes &buffer, const Table &node, int32_t toolkit, SchemaCheck &check)
        : schema_(parameter_schema(node.u8(field::parameters_type), toolkit)) {
        if (!node.has(field::parameters)) return;
        check.table(node.position(field::parameters), schema_);
        table_.push_back(Table(buffer, node.position(field::parameters)));
    }

    /* True if they have a text or numbers of that name, which then take precedence over the document's. */
    bool have(const std::string &name) const {
        return !table_.empty() && std::any_of(schema_.begin(), schema_.end(), [&](const FieldSchema &entry) {
            return name == entry.name && is_vector(entry.type) && table_.front().count(entry.slot, 1) != 0;
        });
    }

  private:
    static bool is_vector(FieldType type) {
        switch (type) {
            case FieldType::text:
            case FieldType::numbers:
            case FieldType::exactly:
            case FieldType::texts:
                return true;
            case FieldType::u8:
            case FieldType::i32:
            case FieldType::u64:
            case FieldType::literal:
            case FieldType::described:
            case FieldType::bytes:
            case FieldType::words:
            case FieldType::table:
            case FieldType::tables:
            case FieldType::position:
                break;
        }
        return false;
    }

    const TableSchema &schema_;
    std::vector<Table> table_; /* one, or none */
};

/* The attributes are only kept for custom operators: the device reads the file itself. */
void read_attributes(const Bytes &buffer, const Table &table, int32_t toolkit, SchemaCheck &check, Node &node) {
    const Parameters parameters(buffer, table, toolkit, check);
    const Bytes document = table.bytes(field::attributes);
    // An output's document is four numbers, the first of which may be the length.
    if (node.type == "OutputOperator" || !is_bson_document(document)) return;
    check.count_attributes(document.size());
    check_bson_attributes(document, [&](const std::string &name) { return parameters.have(name); });
    if (node.custom) node.attributes = read_operator_attributes(document);
}

Node read_node(const Bytes &buffer, const Table &table, size_t tensor_count, int32_t toolkit, SchemaCheck &check) {
    Node result;
    result.type = table.string(field::type);
    result.name = table.string(field::name);
    result.on_npu = table.u8(field::target) == npu;
    result.custom = starts_with(result.type, custom_prefix);
    result.inputs = checked_indices(table.ints(field::inputs), tensor_count, "a layer reads tensor");
    std::vector<int32_t> outputs = table.ints(field::outputs);
    std::replace(outputs.begin(), outputs.end(), unwanted, 0);
    result.outputs = checked_indices(outputs, tensor_count, "a layer writes tensor");
    check_type(result.type);
    check_operands(result);
    result.outputs.erase(std::remove(result.outputs.begin(), result.outputs.end(), 0U), result.outputs.end());
    if (result.outputs.empty() && result.type != "OutputOperator") {
        fail(RKNN_ERR_MODEL_INVALID, "damaged model: nothing reads what operator '", result.type, "' computes");
    }
    read_attributes(buffer, table, toolkit, check, result);
    result.task_counts = read_counts(table, field::task_counts, result);
    result.lut_counts = read_counts(table, field::lut_counts, result);
    result.work_units = read_counts(table, field::work_units, result);
    return result;
}

}  // namespace

std::vector<uint32_t> checked_indices(const std::vector<int32_t> &values, size_t limit, const char *what) {
    for (int32_t value : values) {
        if (value < 0 || static_cast<size_t>(value) >= limit) {
            fail(RKNN_ERR_MODEL_INVALID, "damaged model: ", what, " ", value, " of ", limit);
        }
    }
    return std::vector<uint32_t>(values.begin(), values.end());
}

std::vector<Node> read_nodes(const Bytes &buffer, std::vector<Table> tables, size_t tensor_count, int32_t toolkit,
                             SchemaCheck &check) {
    if (!tables.empty() && is_blank(tables.back())) tables.pop_back();
    std::vector<Node> nodes;
    nodes.reserve(tables.size());
    for (const Table &table : tables) nodes.push_back(read_node(buffer, table, tensor_count, toolkit, check));
    check_execution_order(nodes, tensor_count);
    return nodes;
}

void find_operands(Graph &graph) {
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
        for (const auto *tensors : {&node.operands, &node.outputs}) {
            for (uint32_t index : *tensors) check_operand(graph.tensors[index]);
        }
    }
}

}  // namespace ez_rknn::rknnrt
