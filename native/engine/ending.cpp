/* SPDX-License-Identifier: Apache-2.0 */
/* Closing, joining and destroying an engine. */
#include <algorithm>

#include "engine/engine.h"

namespace ez_rknn::engine {

void Engine::close(bool discard) {
    const Lock lock(mutex_);
    close_locked(discard);
}

int32_t Engine::join(const Deadline &deadline) {
    const Lock lock(mutex_);
    if (!closed_) return EZR_INVALID;
    while (working_threads_ > 0) {
        if (!thread_ended_.wait_until(mutex_, deadline) && working_threads_ > 0) return EZR_TIMEOUT;
    }
    return EZR_OK;
}

void Engine::close_locked(bool discard) {
    closed_ = true;
    if (discard) {
        TaskList discarded;
        dispatch_.withdraw_all(discarded);
        end_unstarted(discarded, RKNN_ERR_FAIL);
    }
    end_unservable();
    submitters_.wake_first();
    admission_.wake_first();
    if (completions_.is_drained()) completions_.ready.notify_all();
}

void Engine::move_ended_threads(ThreadList &to) {
    for (auto thread = threads_.begin(); thread != threads_.end();) {
        const auto next = std::next(thread);
        if (thread->has_ended) to.splice(to.end(), threads_, thread);
        thread = next;
    }
}

uint32_t Engine::end(int32_t timeout_ms, rknn_context *left, uint32_t capacity) {
    ThreadList ended;
    uint32_t count = 0;
    {
        const Lock lock(mutex_);
        close_locked(false);
        while (working_threads_ > 0) thread_ended_.wait(mutex_);
        const Deadline deadline = Deadline::in_ms(timeout_ms);
        while (!stuck_.empty() && thread_ended_.wait_until(mutex_, deadline)) continue;
        for (const Task &task : stuck_) {
            if (count < capacity) left[count] = task.context;
            ++count;
        }
        is_stopping_ = true;
        started_.notify_one();
        move_ended_threads(ended);
    }
    for (Thread &thread : ended) thread.thread.join();
    if (watchdog_.joinable()) watchdog_.join();
    return count;
}

bool Engine::is_complete() {
    const Lock lock(mutex_);
    return stuck_.empty();
}

}  // namespace ez_rknn::engine
