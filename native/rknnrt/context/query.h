/* SPDX-License-Identifier: Apache-2.0 */
/* rknn_query. */
#pragma once

#include "rknnrt/context/context.h"

namespace ez_rknn::rknnrt {

/* Answers a query. `command` is a rknn_query_cmd, or any other number. */
int query(Context &context, int32_t command, void *info, uint32_t size);

}  // namespace ez_rknn::rknnrt
