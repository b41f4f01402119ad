/* rknn_query. */
#pragma once

#include "context.h"

namespace ez_rknn::simulator {

int query(Context &context, rknn_query_cmd command, void *info, uint32_t size);

}  // namespace ez_rknn::simulator
