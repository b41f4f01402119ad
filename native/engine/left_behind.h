/* Engines whose threads did not come back from the runtime before they were destroyed. */
#pragma once

#include <memory>

#include "engine/engine.h"

namespace ez_rknn::engine {

/* Keeps an engine, which was ended, for the sake of its threads: they use its memory should they come back. It is never
 * freed while one is away, not even when the process exits. */
void leave_behind(std::unique_ptr<Engine> engine);

/* Frees those whose threads have all come back. */
void free_returned_engines();

}  // namespace ez_rknn::engine
