/* SPDX-License-Identifier: Apache-2.0 */
/* The ONNX attributes of a custom operator, from the compiler's BSON document: {name: {"dtype": "i" | "f" | "s" | "is"
 * | "fs" | "ss", "value": ...}}. */
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "rknn_abi.h"
#include "rknnrt/base/bytes.h"

namespace ez_rknn::rknnrt {

/* An attribute as rknn_custom_op_get_op_attr returns it. */
struct OperatorAttribute {
    std::string name;
    rknn_tensor_type type = RKNN_TENSOR_INT64; /* int64, float32, or uint8 for text */
    uint32_t count = 0;                        /* of elements: of bytes, for a text */
    std::vector<uint8_t> data;                 /* a text ends with a zero that is not counted */
};

/* Reads a document that check_bson_attributes() has passed. The result is a few times as large. Several texts become
 * one, with a zero after each. */
std::vector<OperatorAttribute> read_operator_attributes(const Bytes &document);

}  // namespace ez_rknn::rknnrt
