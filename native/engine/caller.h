/* A thread that waits in ezr_run for a task that a worker will run. */
#pragma once

#include <list>

#include "engine/event.h"
#include "engine/task.h"
#include "engine/waiting_line.h"

namespace ez_rknn::engine {

/* Guarded by the engine's lock. Its address is what the task knows it by, so it lives in the node of a list, which goes
 * into the engine's keeping while the thread is away to run its signal handlers. */
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
