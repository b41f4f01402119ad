/* One inference: the calls of the runtime, and the conversions between them. */
#ifndef EZ_RKNN_EXECUTION_H
#define EZ_RKNN_EXECUTION_H

#include "engine/task.h"
#include "ez_rknn_engine.h"

namespace ezr {

/* Runs a task on its context, which no other thread may be using, and fills in its result after started_ns. Whatever
 * the runtime does, exceptions included, ends as a code in the result, with the runtime's own words if it has any. When
 * the watchdog sets the task aside meanwhile, no further call is made, nothing more is converted, and the result means
 * nothing. */
void execute(Task &task, const ezr_runtime &runtime) noexcept;

}  // namespace ezr

#endif
