/* SPDX-License-Identifier: Apache-2.0 */
/* The rules for inputs, outputs and operands of custom operators, which programs exchange with the runtime.
 *
 * The host converts these, in buffers whose sizes follow from the fields of the file, so each field is checked before
 * any other use. The Python reader keeps the same rules (src/ez_rknn_async/model/format/ports.py). */
#pragma once

#include <vector>

#include "rknnrt/file/model_file.h"

namespace ez_rknn::rknnrt {

/* Fails with RKNN_ERR_MODEL_INVALID for a graph with inputs or outputs that no program could use. */
void check_ports(const Graph &graph, uint32_t batch);
/* The same for graphs of one model whose inputs and outputs differ in more than shape, or whose custom operators
 * differ. */
void check_same_ports(const std::vector<Graph> &graphs);
/* The same for an operand of a custom operator. */
void check_operand(const Tensor &tensor);

}  // namespace ez_rknn::rknnrt
