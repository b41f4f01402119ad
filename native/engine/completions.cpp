#include "completions.h"

#include <iterator>

namespace ezr {

void Completions::finish(TaskList &task) {
    TaskList::iterator place = finished_.end();
    if (ordered_) {
        // From the back: tasks finish nearly in order, so this is a step or two.
        while (place != finished_.begin() && std::prev(place)->sequence > task.front().sequence) --place;
    }
    finished_.splice(place, task, task.begin());
    if (has_next()) ready.notify_one();
}

bool Completions::has_next() const {
    return !finished_.empty() && (!ordered_ || finished_.front().sequence == collected_);
}

void Completions::collect(TaskList &to) {
    to.splice(to.end(), finished_, finished_.begin());
    ++collected_;
    // A task that others waited for frees several at once, but notified only one collector.
    if (has_next()) ready.notify_one();
}

}  // namespace ezr
