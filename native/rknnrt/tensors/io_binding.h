/* SPDX-License-Identifier: Apache-2.0 */
/* One input or output bound to memory (rknn_set_io_mem): the memory, and its format according to the program. */
#pragma once

#include <memory>

#include "rknn_abi.h"
#include "rknnrt/memory/memory.h"

namespace ez_rknn::rknnrt {

struct IoBinding {
    std::shared_ptr<Memory> memory;
    rknn_tensor_type type = RKNN_TENSOR_INT8;
    rknn_tensor_format format = RKNN_TENSOR_UNDEFINED;
    bool pass_through = false; /* inputs only */
};

}  // namespace ez_rknn::rknnrt
