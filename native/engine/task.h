/* One inference: what the runtime is given, and how it went. */
#ifndef EZ_RKNN_TASK_H
#define EZ_RKNN_TASK_H

#include <cstdint>
#include <list>
#include <vector>

#include "ez_rknn_engine.h"
#include "progress.h"

namespace ezr {

struct Caller;

/* The engine's copy of an ezr_task, with its result.
 *
 * Tasks live in the nodes of lists and go from one to the next by splice(): nothing is allocated once a task is
 * accepted, so nothing can fail between acceptance and completion. */
struct Task {
    /* One that only has a result. */
    Task() = default;
    /* Copies the arrays of `task`, which must be valid (see is_valid). */
    explicit Task(const ezr_task &task);

    std::vector<rknn_tensor_attr> shapes;
    std::vector<rknn_input> inputs;
    std::vector<rknn_output> outputs;
    ezr_result result{};
    int32_t status = EZR_OK; /* what ezr_next_completion returns with this result */
    bool is_unordered = false;
    uint64_t sequence = 0;    /* the how-manieth of those that complete in order */
    Caller *caller = nullptr; /* who waits for it; NULL: ezr_next_completion gives it out */
    rknn_context context = 0; /* on which it runs */
    bool is_watched = false;
    Progress progress; /* kept only where the task is watched */
};

using TaskList = std::list<Task>;

/* Whether a task can be run at all: arrays where counts say so, shapes only where the runtime has the call, and
 * preallocated outputs, since the engine hands no buffer of the runtime's on. */
bool is_valid(const ezr_task *task, const ezr_runtime &runtime);

/* Runs a task on its context, which no other thread may be using, and fills in its result after started_ns. Whatever
 * the runtime does, exceptions included, ends as a code in the result, with the runtime's own words if it has any. When
 * the watchdog sets the task aside meanwhile, no further call is made, and the result means nothing. */
void execute(Task &task, const ezr_runtime &runtime) noexcept;

}  // namespace ezr

#endif
