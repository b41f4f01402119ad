/* What an input, an output or an operand of a custom operator must be for a program to exchange it with the runtime.
 *
 * The host converts these, in buffers whose sizes follow from the fields of the file, so each field is checked before
 * anything else sees it. The Python reader keeps the same rules (src/ez_rknn_async/model/format/ports.py). */
#pragma once

#include <vector>

#include "rknnrt/file/model_file.h"

namespace ez_rknn::rknnrt {

/* RKNN_ERR_MODEL_INVALID for a graph with inputs or outputs that no program could use. */
void check_ports(const Graph &graph, uint32_t batch);
/* The same for graphs of one model that differ in more of their inputs and outputs than in shape, or in their custom
 * operators. */
void check_same_ports(const std::vector<Graph> &graphs);
/* The same for an operand of a custom operator. */
void check_operand(const Tensor &tensor);

}  // namespace ez_rknn::rknnrt
