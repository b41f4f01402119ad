/* SPDX-License-Identifier: Apache-2.0 */
/* The operators of a graph. */
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "rknnrt/base/bytes.h"
#include "rknnrt/file/flatbuffer.h"
#include "rknnrt/file/model_file.h"
#include "rknnrt/file/schema_check.h"

namespace ez_rknn::rknnrt {

/* Reads them from their tables in `buffer`. Parameters and attributes, which depend on the type of an operator, are
 * checked with `check` here; `toolkit` is the compiler's version. */
std::vector<Node> read_nodes(const Bytes &buffer, std::vector<Table> tables, size_t tensor_count, int32_t toolkit,
                             SchemaCheck &check);

/* Returns tensor numbers below `limit`; fails with RKNN_ERR_MODEL_INVALID, naming `what`, for others. */
std::vector<uint32_t> checked_indices(const std::vector<int32_t> &values, size_t limit, const char *what);

/* Finds the operands of custom operators: earlier results, and constants. The rest is scratch space. */
void find_operands(Graph &graph);

}  // namespace ez_rknn::rknnrt
