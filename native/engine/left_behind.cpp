/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/left_behind.h"

#include <utility>

#include "common/mutex.h"

namespace ez_rknn::engine {
namespace {

Mutex mutex;
Engine *first EZ_RKNN_GUARDED_BY(mutex) = nullptr;  // not an owner: its destructor would run when the process exits

}  // namespace

void leave_behind(std::unique_ptr<Engine> engine) {
    const Lock lock(mutex);
    engine->next_left_behind = first;
    first = engine.release();
}

void free_returned_engines() {
    const Lock lock(mutex);
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
