/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/completions.h"

#include <iterator>

namespace ez_rknn::engine {
namespace {

/* The finished tasks for which a napping collector is woken. */
constexpr size_t at_once = 6;

}  // namespace

void Completions::expect(Task &task) {
    ++owed_;
    if (is_in_order(task)) task.sequence = expected_in_order_++;
}

void Completions::disown(const Task &task) {
    --owed_;
    if (is_in_order(task)) --expected_in_order_;
}

void Completions::finish(TaskList &task, bool more_follow) {
    if (is_in_order(task.front())) {
        // From the back: tasks finish nearly in order, so this is a step or two.
        TaskList::iterator place = in_order_.end();
        while (place != in_order_.begin() && std::prev(place)->sequence > task.front().sequence) --place;
        in_order_.splice(place, task, task.begin());
    } else {
        as_finished_.splice(as_finished_.end(), task, task.begin());
    }
    const bool may_wait = more_follow && napping > 0 && in_order_.size() + as_finished_.size() < at_once;
    if (has_next() && !may_wait) ready.notify_one();
}

void Completions::tell(TaskList &notice) {
    notices_.splice(notices_.end(), notice, notice.begin());
    ready.notify_one();
}

void Completions::tell_room() {
    has_room_to_tell_ = true;
    ready.notify_one();
}

bool Completions::has_next() const {
    return has_room_to_tell_ || !notices_.empty() || !as_finished_.empty() || has_next_in_order();
}

/* The list whose front is the next completion. If both have one, the one that finished first, so that neither list can
 * starve the other. */
TaskList &Completions::next_list() {
    if (!has_next_in_order()) return as_finished_;
    if (as_finished_.empty()) return in_order_;
    const bool in_order_first = in_order_.front().result.finished_ns < as_finished_.front().result.finished_ns;
    return in_order_first ? in_order_ : as_finished_;
}

int32_t Completions::collect(TaskList &to) {
    int32_t status = EZR_OK;
    if (!notices_.empty()) {
        status = notices_.front().status;
        to.splice(to.end(), notices_, notices_.begin());
    } else if (has_room_to_tell_) {
        status = EZR_ROOM;
        has_room_to_tell_ = false;
    } else {
        TaskList &from = next_list();
        if (&from == &in_order_) ++collected_in_order_;
        --owed_;
        to.splice(to.end(), from, from.begin());
    }
    return status;
}

}  // namespace ez_rknn::engine
