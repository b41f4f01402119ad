/* SPDX-License-Identifier: Apache-2.0 */
/* One inference: the calls of the runtime, and the conversions between them. */
#pragma once

#include "engine/task.h"
#include "ez_rknn_engine.h"

namespace ez_rknn::engine {

/* Runs a task on its context, which no other thread may be using, and fills in its result after started_ns. Every
 * failure of the runtime, exceptions included, becomes a code in the result, with the runtime's own message if it has
 * one. If the watchdog sets the task aside meanwhile, no further call is made, nothing more is converted, and the
 * result is meaningless. */
void execute(Task &task, const ezr_runtime &runtime) noexcept;

}  // namespace ez_rknn::engine
