/* SPDX-License-Identifier: Apache-2.0 */
/* A task: its arguments for the runtime, and its result. */
#pragma once

#include <cstdint>
#include <list>
#include <vector>

#include "engine/bindings.h"
#include "engine/progress.h"
#include "ez_rknn_engine.h"

namespace ez_rknn::engine {

struct Caller;

/* The engine's copy of an ezr_task, with its result.
 *
 * Tasks live in list nodes and move from list to list by splice(): nothing is allocated once a task is accepted, so
 * nothing can fail between acceptance and completion. */
struct Task {
    /* A task with only a result. */
    Task() = default;
    /* Copies the arrays of `task`, which must be valid (see is_valid). */
    explicit Task(const ezr_task &task);

    std::vector<rknn_tensor_attr> shapes;
    std::vector<rknn_input> inputs;
    std::vector<rknn_output> outputs;
    std::vector<ezr_io> direct_inputs;
    std::vector<ezr_io> direct_outputs;
    ezr_result result{};
    int32_t status = EZR_OK; /* what ezr_next_completion returns with this result */
    bool is_unordered = false;
    uint64_t sequence = 0;    /* position among those that complete in order */
    Caller *caller = nullptr; /* the thread waiting for it; NULL: ezr_next_completion gives it out */
    rknn_context context = 0; /* on which it runs */
    ContextState state;       /* of that context, while it runs */
    bool is_watched = false;
    Progress progress; /* kept only where the task is watched */
};

using TaskList = std::list<Task>;

/* True if a task can be run at all: arrays where counts say so; shapes and direct I/O only where the runtime has the
 * calls; everything that a direct input or output needs; and preallocated outputs, since the engine never passes on a
 * buffer of the runtime. */
bool is_valid(const ezr_task *task, const ezr_runtime &runtime);

}  // namespace ez_rknn::engine
