#include "group.h"

namespace ezr {

void Group::add_worker(uint32_t worker) {
    idle_.push_back(worker);  // the only time that it grows: giving a context back cannot fail
    ++worker_count_;
}

TaskList::iterator Group::enqueue(TaskList &task) {
    const TaskList::iterator place = task.begin();
    queue_.splice(queue_.end(), task, place);
    // With no idle context there is nothing to wake for: whoever gives one back looks at the queue.
    if (can_start()) work.notify_one();
    return place;
}

uint32_t Group::take_context() {
    const uint32_t worker = idle_.back();
    idle_.pop_back();
    return worker;
}

void Group::give_back_context(uint32_t worker) {
    idle_.push_back(worker);
}

void Group::count(const ezr_result &result) {
    uint64_t &ended = result.code == RKNN_SUCC ? stats_.completed : stats_.failed;
    ++ended;
    stats_.busy_ns += result.finished_ns - result.started_ns;
}

ezr_group_stats Group::stats() const {
    ezr_group_stats stats = stats_;
    stats.queued = static_cast<uint32_t>(queue_.size());
    stats.running = worker_count_ - static_cast<uint32_t>(idle_.size());
    return stats;
}

}  // namespace ezr
