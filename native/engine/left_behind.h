/* SPDX-License-Identifier: Apache-2.0 */
/* Engines that were destroyed while threads of theirs were still inside the runtime. */
#pragma once

#include <memory>

#include "engine/engine.h"

namespace ez_rknn::engine {

/* Keeps an ended engine for its threads, which use its memory if they come back. It is never freed while one is away,
 * not even when the process exits. */
void leave_behind(std::unique_ptr<Engine> engine);

/* Frees those whose threads have all come back. */
void free_returned_engines();

}  // namespace ez_rknn::engine
