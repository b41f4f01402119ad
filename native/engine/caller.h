/* SPDX-License-Identifier: Apache-2.0 */
/* A thread waiting in ezr_run for a worker to run its task. */
#pragma once

#include <list>

#include "engine/event.h"
#include "engine/task.h"
#include "engine/waiting_line.h"

namespace ez_rknn::engine {

/* Guarded by the engine's lock. The task points to it, so it lives in a list node, which the engine keeps while the
 * thread is away running its signal handlers. */
struct Caller {
    Caller(TaskList &own, const Turn &how) : turn(how) { task.splice(task.end(), own); }

    Turn turn;
    TaskList task; /* until it is queued, and once it has ended */
    int64_t id = -1;
    bool is_queued = false;
    Task *taken_up = nullptr; /* the task, once a worker has it */
    Event changed;

    bool has_ended() const { return is_queued && !task.empty(); }
};

using CallerList = std::list<Caller>;

}  // namespace ez_rknn::engine
