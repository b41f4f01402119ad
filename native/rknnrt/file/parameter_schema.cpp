/* SPDX-License-Identifier: Apache-2.0 */
/* Node field 8, by the number in field 7: the attributes of the ONNX operator in alphabetical order. */
#include <utility>

#include "rknnrt/file/schema.h"

namespace ez_rknn::rknnrt {

namespace {

constexpr FieldSchema conv_fields[] = {
    {0, "auto_pad", FieldType::text},   {1, "dilations", FieldType::exactly, 2},
    {2, "group", FieldType::i32},       {3, "kernel_shape", FieldType::exactly, 2},
    {4, "pads", FieldType::exactly, 4}, {5, "strides", FieldType::exactly, 2},
};
constexpr TableSchema conv("Conv", conv_fields);

constexpr FieldSchema conv_transpose_fields[] = {
    {0, "auto_pad", FieldType::text},
    {1, "dilations", FieldType::exactly, 2},
    {2, "group", FieldType::i32},
    {3, "kernel_shape", FieldType::exactly, 2},
    {4, "output_padding", FieldType::exactly, 2},
    {5, "output_shape", FieldType::exactly, 2},
    {6, "pads", FieldType::exactly, 4},
    {7, "strides", FieldType::exactly, 2},
};
constexpr TableSchema conv_transpose("ConvTranspose", conv_transpose_fields);

constexpr FieldSchema max_pool_fields[] = {
    {0, "auto_pad", FieldType::text},           {1, "ceil_mode", FieldType::i32},
    {2, "dilations", FieldType::numbers, 4096}, {3, "kernel_shape", FieldType::numbers, 4096},
    {4, "pads", FieldType::numbers, 4096},      {5, "storage_order", FieldType::i32},
    {6, "strides", FieldType::numbers, 4096},
};
constexpr TableSchema max_pool("MaxPool", max_pool_fields);

constexpr FieldSchema average_pool_fields[] = {
    {0, "auto_pad", FieldType::text},         {1, "ceil_mode", FieldType::i32},
    {2, "count_include_pad", FieldType::i32}, {3, "kernel_shape", FieldType::numbers, 4096},
    {4, "pads", FieldType::numbers, 4096},    {5, "strides", FieldType::numbers, 4096},
};
constexpr TableSchema average_pool("AveragePool", average_pool_fields);

constexpr FieldSchema leaky_relu_fields[] = {
    {0, "alpha", FieldType::i32},
};
constexpr TableSchema leaky_relu("LeakyRelu", leaky_relu_fields);

constexpr FieldSchema batch_normalization_fields[] = {
    {0, "epsilon", FieldType::i32},
};
constexpr TableSchema batch_normalization("BatchNormalization", batch_normalization_fields);

constexpr FieldSchema concat_fields[] = {
    {0, "axis", FieldType::i32},
};
constexpr TableSchema concat("Concat", concat_fields);

constexpr FieldSchema split_fields[] = {
    {0, "axis", FieldType::i32},
    {1, "split", FieldType::numbers, 4096},
};
constexpr TableSchema split("Split", split_fields);

constexpr FieldSchema transpose_fields[] = {
    {0, "perm", FieldType::numbers, 4096},
};
constexpr TableSchema transpose("Transpose", transpose_fields);

constexpr FieldSchema resize_fields[] = {
    {0, "coordinate_transformation_mode", FieldType::text},
    {1, "cubic_coeff_a", FieldType::i32},
    {2, "exclude_outside", FieldType::i32},
    {3, "extrapolation_value", FieldType::i32},
    {4, "mode", FieldType::text},
    {5, "nearest_mode", FieldType::text},
};
constexpr TableSchema resize("Resize", resize_fields);

constexpr FieldSchema pad_fields[] = {
    {0, "mode", FieldType::text},
};
constexpr TableSchema pad("Pad", pad_fields);

constexpr FieldSchema depth_to_space_fields[] = {
    {0, "blocksize", FieldType::i32},
    {1, "mode", FieldType::text},
};
constexpr TableSchema depth_to_space("DepthToSpace", depth_to_space_fields);

constexpr FieldSchema space_to_depth_fields[] = {
    {0, "blocksize", FieldType::i32},
};
constexpr TableSchema space_to_depth("SpaceToDepth", space_to_depth_fields);

constexpr FieldSchema gather_fields[] = {
    {0, "axis", FieldType::i32},
};
constexpr TableSchema gather("Gather", gather_fields);

constexpr FieldSchema arg_max_fields[] = {
    {0, "axis", FieldType::i32},
    {1, "keepdims", FieldType::i32},
    {2, "select_last_index", FieldType::i32},
};
constexpr TableSchema arg_max("ArgMax", arg_max_fields);

constexpr FieldSchema reduce_max_fields[] = {
    {0, "axes", FieldType::numbers, 4096},
    {1, "keepdims", FieldType::i32},
};
constexpr TableSchema reduce_max("ReduceMax", reduce_max_fields);

constexpr FieldSchema reduce_min_fields[] = {
    {0, "axes", FieldType::numbers, 4096},
    {1, "keepdims", FieldType::i32},
};
constexpr TableSchema reduce_min("ReduceMin", reduce_min_fields);

constexpr FieldSchema softmax_fields[] = {
    {0, "axis", FieldType::i32},
};
constexpr TableSchema softmax("Softmax", softmax_fields);

constexpr FieldSchema log_softmax_fields[] = {
    {0, "axis", FieldType::i32},
};
constexpr TableSchema log_softmax("LogSoftmax", log_softmax_fields);

constexpr FieldSchema ex_gru_fields[] = {
    {1, "hidden_size", FieldType::i32},
    {3, "linear_before_reset", FieldType::i32},
};
constexpr TableSchema ex_gru("exGRU", ex_gru_fields);

constexpr FieldSchema gru_fields[] = {
    {0, "direction", FieldType::text},
    {1, "hidden_size", FieldType::i32},
    {2, "linear_before_reset", FieldType::i32},
};
constexpr TableSchema gru("GRU", gru_fields);

constexpr FieldSchema ex_norm_fields[] = {
    {0, "mode", FieldType::text},
    {1, "eps", FieldType::i32},
    {2, "axes", FieldType::numbers, 4096},
};
constexpr TableSchema ex_norm("exNorm", ex_norm_fields);

constexpr FieldSchema top_k_fields[] = {
    {0, "axis", FieldType::i32},
    {1, "largest", FieldType::i32},
    {2, "sorted", FieldType::i32},
};
constexpr TableSchema top_k("TopK", top_k_fields);

constexpr FieldSchema cast_fields[] = {
    {0, "saturate", FieldType::i32},
    {1, "to", FieldType::i32},
};
constexpr TableSchema cast("Cast", cast_fields);

constexpr FieldSchema grid_sample_fields[] = {
    {0, "align_corners", FieldType::i32},
    {1, "mode", FieldType::text},
    {2, "padding_mode", FieldType::text},
};
constexpr TableSchema grid_sample("GridSample", grid_sample_fields);

constexpr FieldSchema lstm_fields[] = {
    {0, "activation_alpha", FieldType::numbers, 4096},
    {1, "activation_beta", FieldType::numbers, 4096},
    {2, "activations", FieldType::texts, 64},
    {4, "clip", FieldType::i32},
    {5, "direction", FieldType::text},
    {6, "hidden_size", FieldType::i32},
    {7, "input_forget", FieldType::i32},
};
constexpr TableSchema lstm("LSTM", lstm_fields);

constexpr FieldSchema gru_without_direction_fields[] = {
    {0, "hidden_size", FieldType::i32},
    {1, "linear_before_reset", FieldType::i32},
};
constexpr TableSchema gru_without_direction("GRU", gru_without_direction_fields);

constexpr TableSchema unknown("parameters");

constexpr std::pair<uint8_t, const TableSchema *> parameters[] = {
    {1, &conv},
    {2, &conv_transpose},
    {3, &max_pool},
    {5, &average_pool},
    {9, &leaky_relu},
    {17, &batch_normalization},
    {19, &concat},
    {20, &split},
    {25, &transpose},
    {26, &resize},
    {30, &pad},
    {32, &depth_to_space},
    {33, &space_to_depth},
    {50, &gather},
    {51, &arg_max},
    {53, &reduce_max},
    {54, &reduce_min},
    {61, &softmax},
    {64, &log_softmax},
    {67, &ex_gru},
    {71, &gru},
    {87, &ex_norm},
    {89, &top_k},
    {96, &cast},
    {97, &grid_sample},
    {98, &lstm},
};

/* The first version with a direction. Before, a GRU shows it in its commands only, if the NPU computes it. */
constexpr int32_t first_with_direction = 20302;

}  // namespace

const TableSchema &parameter_schema(uint8_t type, int32_t toolkit) {
    for (const auto &[number, table] : parameters) {
        if (number != type) continue;
        return table == &gru && toolkit < first_with_direction ? gru_without_direction : *table;
    }
    return unknown;
}

}  // namespace ez_rknn::rknnrt
