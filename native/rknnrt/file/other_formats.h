/* SPDX-License-Identifier: Apache-2.0 */
/* Models in unsupported formats: what they are and what to do, in the words of the Python package
 * (model/format/other_formats.py). */
#pragma once

#include <cstdint>

#include "rknnrt/base/bytes.h"

namespace ez_rknn::rknnrt {

/* Fails with RKNN_ERR_MODEL_INVALID for a container below version `readable` or in the mini format; otherwise returns.
 */
void refuse_other_formats(const Bytes &file, uint64_t version, uint64_t readable);

}  // namespace ez_rknn::rknnrt
