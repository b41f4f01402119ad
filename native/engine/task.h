/* One inference: what the runtime is given, and how it went. */
#ifndef EZ_RKNN_TASK_H
#define EZ_RKNN_TASK_H

#include <cstdint>
#include <list>
#include <vector>

#include "ez_rknn_engine.h"

namespace ezr {

struct Caller;

/* The engine's copy of an ezr_task, with its result.
 *
 * Tasks live in the nodes of lists and go from one to the next by splice(): nothing is allocated once a task is
 * accepted, so nothing can fail between acceptance and completion. */
struct Task {
    /* Copies the arrays of `task`, which must be valid (see is_valid). */
    explicit Task(const ezr_task &task);

    std::vector<rknn_tensor_attr> shapes;
    std::vector<rknn_input> inputs;
    std::vector<rknn_output> outputs;
    ezr_result result{};
    uint64_t sequence = 0;    /* the how-manieth of those whose completions are queued */
    Caller *caller = nullptr; /* who waits for it; NULL: its completion is queued */
};

using TaskList = std::list<Task>;

/* Whether a task can be run at all: arrays where counts say so, shapes only where the runtime has the call, and
 * preallocated outputs, since the engine hands no buffer of the runtime's on. */
bool is_valid(const ezr_task *task, const ezr_runtime &runtime);

/* Runs a task on a context, which no other thread may be using, and fills in its result from started_ns on. Whatever
 * the runtime does, exceptions included, ends as a code in the result, with the runtime's own words if it has any. */
void execute(Task &task, const ezr_runtime &runtime, rknn_context context) noexcept;

}  // namespace ezr

#endif
