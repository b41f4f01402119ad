/* SPDX-License-Identifier: Apache-2.0 */
#include "rknnrt/file/schema.h"

namespace ez_rknn::rknnrt {

namespace {

constexpr FieldSchema tensor_fields[] = {
    {0, "dtype", FieldType::u8},
    {1, "layout", FieldType::u8},
    {2, "kind", FieldType::u8},
    {3, "native_shape", FieldType::numbers, 1536},
    {4, "shape", FieldType::numbers, 16},
    {5, "name", FieldType::text},
    {8, "minimum", FieldType::numbers, 65536},
    {9, "maximum", FieldType::numbers, 65536},
    {10, "scale", FieldType::numbers, 65536},
    {11, "zero_point", FieldType::numbers, 65536},
    {12, "size", FieldType::i32},
    {15, "chunk_lengths", FieldType::words},
    {16, "chunk_offsets", FieldType::words},
    {18, "buffer", FieldType::i32},
};
constexpr TableSchema tensor("Tensor", tensor_fields);

constexpr FieldSchema node_fields[] = {
    {1, "op", FieldType::text},
    {2, "name", FieldType::text},
    {3, "target", FieldType::u8},
    {4, "inputs", FieldType::numbers, 65536},
    {5, "outputs", FieldType::numbers, 65536},
    {7, "parameters_type", FieldType::u8},
    {8, "parameters", FieldType::position},
    {9, "bson", FieldType::bytes},
    {10, "tasks", FieldType::numbers, 64},
    {11, "lut_tasks", FieldType::numbers, 64},
    {12, "work", FieldType::numbers, 64},
};
constexpr TableSchema node("Node", node_fields);

constexpr FieldSchema preprocessing_fields[] = {
    {0, "mean", FieldType::numbers, 65536},
    {1, "std", FieldType::numbers, 65536},
    {2, "reorder", FieldType::words},
};
constexpr TableSchema preprocessing("Preprocessing", preprocessing_fields);

constexpr FieldSchema relocation_fields[] = {
    {0, "tensor", FieldType::text},
    {1, "words", FieldType::words},
    {2, "flags", FieldType::words},
};
constexpr TableSchema relocation("Relocation", relocation_fields);

constexpr TableSchema unnamed("unnamed");

constexpr FieldSchema patch_fields[] = {
    {0, "tensor", FieldType::text},
    {1, "registers", FieldType::tables, 0, &unnamed},
};
constexpr TableSchema patch("Patch", patch_fields);

constexpr FieldSchema graph_fields[] = {
    {0, "tensors", FieldType::tables, 0, &tensor},
    {1, "nodes", FieldType::tables, 0, &node},
    {2, "inputs", FieldType::numbers, 65536},
    {3, "outputs", FieldType::numbers, 65536},
    {4, "preprocessing", FieldType::tables, 0, &preprocessing},
    {7, "relocations", FieldType::tables, 0, &relocation},
    {8, "input_patches", FieldType::tables, 0, &patch},
    {9, "more_input_patches", FieldType::tables, 0, &patch},
    {10, "task_lists", FieldType::numbers, 64},
    {12, "output_patches", FieldType::tables, 0, &unnamed},
};
constexpr TableSchema graph("Graph", graph_fields);

constexpr FieldSchema shape_fields[] = {
    {0, "dims", FieldType::numbers, 16},
};
constexpr TableSchema shape("Shape", shape_fields);

constexpr FieldSchema input_shapes_fields[] = {
    {0, "shapes", FieldType::tables, 0, &shape},
};
constexpr TableSchema input_shapes("InputShapes", input_shapes_fields);

constexpr FieldSchema memory_fields[] = {
    {0, "weight", FieldType::u64},
    {1, "internal", FieldType::u64},
};
constexpr TableSchema memory("Memory", memory_fields);

constexpr FieldSchema buffer_fields[] = {
    {0, "data", FieldType::bytes},
};
constexpr TableSchema buffer("Buffer", buffer_fields);

constexpr FieldSchema root_fields[] = {
    {0, "schema_version", FieldType::i32},
    {1, "product", FieldType::text},
    {6, "toolkit", FieldType::i32},
    {7, "compiler", FieldType::text},
    {8, "target", FieldType::text},
    {2, "graphs", FieldType::tables, 0, &graph},
    {3, "attributes", FieldType::literal},
    {9, "framework", FieldType::text},
    {11, "custom_string", FieldType::text},
    {12, "input_types", FieldType::described},
    {13, "output_types", FieldType::described},
    {14, "batch_size", FieldType::text},
    {16, "shape_mode", FieldType::text},
    {17, "dynamic_shapes", FieldType::tables, 0, &input_shapes},
    {18, "dynamic_inputs", FieldType::texts, 4096},
    {19, "memory", FieldType::table, 0, &memory},
    {20, "buffers", FieldType::tables, 0, &buffer},
};
constexpr FieldSchema header_fields[] = {
    {0, "schema_version", FieldType::i32}, {1, "product", FieldType::text}, {6, "toolkit", FieldType::i32},
    {7, "compiler", FieldType::text},      {8, "target", FieldType::text},
};

}  // namespace

const TableSchema header_schema("Root", header_fields);
const TableSchema root_schema("Root", root_fields);

}  // namespace ez_rknn::rknnrt
