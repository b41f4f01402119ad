#include "engine/left_behind.h"

#include <mutex>
#include <utility>

namespace ez_rknn::engine {
namespace {

std::mutex mutex;         /* guards the chain */
Engine *first = nullptr;  // not an owner with a destructor, which would run when the process exits

}  // namespace

void leave_behind(std::unique_ptr<Engine> engine) {
    const std::lock_guard lock(mutex);
    engine->next_left_behind = first;
    first = engine.release();
}

void free_returned_engines() {
    const std::lock_guard lock(mutex);
    for (Engine **link = &first; *link != nullptr;) {
        if ((*link)->is_complete()) {
            const std::unique_ptr<Engine> returned(*link);
            *link = returned->next_left_behind;
        } else {
            link = &(*link)->next_left_behind;
        }
    }
}

}  // namespace ez_rknn::engine
