/* SPDX-License-Identifier: Apache-2.0 */
/* A check that nodes can be executed in their order: each tensor is made once, and before it is read. */
#pragma once

#include <cstddef>
#include <vector>

#include "rknnrt/file/model_file.h"

namespace ez_rknn::rknnrt {

/* Fails with RKNN_ERR_MODEL_INVALID for nodes that overwrite each other's results, or read what is only made later. */
void check_execution_order(const std::vector<Node> &nodes, size_t tensors);

}  // namespace ez_rknn::rknnrt
