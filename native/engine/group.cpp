/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/group.h"

namespace ez_rknn::engine {

void Group::add_worker(uint32_t worker) {
    // It grows only while the engine is being built: afterwards neither giving a context back nor replacing it can
    // fail.
    idle_.push_back(worker);
    ++worker_count_;
}

void Group::enqueue(TaskList &from, bool wake) {
    queue_.splice(queue_.end(), from, from.begin());
    // With no idle context there is nothing to wake for: the thread that gives one back looks at the queue.
    if (wake && can_start()) work.notify_one();
}

uint32_t Group::take_context() {
    const uint32_t worker = idle_.back();
    idle_.pop_back();
    return worker;
}

void Group::give_back_context(uint32_t worker) {
    idle_.push_back(worker);
}

void Group::lose_context() {
    --worker_count_;
    ++awaited_replacements_;
    ++stats_.stalled;
}

void Group::count(const ezr_result &result) {
    switch (result.code) {
        case RKNN_SUCC:
            ++stats_.completed;
            recent_ns_.add(result.finished_ns - result.started_ns);
            break;
        case EZR_CANCELLED:
            ++stats_.cancelled;
            break;
        default:
            ++stats_.failed;
    }
    stats_.busy_ns += result.finished_ns - result.started_ns;
}

ezr_group_stats Group::stats() const {
    ezr_group_stats stats = stats_;
    stats.queued = static_cast<uint32_t>(queue_.size());
    stats.running = worker_count_ - static_cast<uint32_t>(idle_.size());
    return stats;
}

}  // namespace ez_rknn::engine
