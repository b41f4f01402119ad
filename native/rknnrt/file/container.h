/* SPDX-License-Identifier: Apache-2.0 */
/* The container of a .rknn file: a 64-byte header, the FlatBuffer, a summary in JSON. */
#pragma once

#include "rknnrt/base/bytes.h"

namespace ez_rknn::rknnrt {

/* Returns the FlatBuffer of a file. Any other file fails with RKNN_ERR_MODEL_INVALID, saying what it is instead. */
Bytes open_container(const Bytes &file);

}  // namespace ez_rknn::rknnrt
