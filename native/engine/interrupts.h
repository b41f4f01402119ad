/* SPDX-License-Identifier: Apache-2.0 */
/* Ctrl-C while the calling thread is inside the runtime.
 *
 * A host that defers its signal handlers, as Python does until the interpreter continues, never runs them when a
 * runtime call does not return: only SIGKILL would end the process. So while such a thread is inside, the second SIGINT
 * ends the process as an unhandled one does. The first is the host's. */
#pragma once

namespace ez_rknn::engine {

/* Watches SIGINT, unless another thread already does, or the host has no handler of its own: then SIGINT ends the
 * process anyway, or is ignored. Returns true if it now watches. Two system calls. */
bool watch_interrupts();

/* Gives SIGINT back to the host; after watch_interrupts() has returned true. */
void unwatch_interrupts();

/* Watches SIGINT for a block. */
class InterruptWatch {
  public:
    explicit InterruptWatch(bool is_wanted) : is_watching_(is_wanted && watch_interrupts()) {}
    ~InterruptWatch() {
        if (is_watching_) unwatch_interrupts();
    }
    InterruptWatch(const InterruptWatch &) = delete;
    InterruptWatch &operator=(const InterruptWatch &) = delete;

  private:
    const bool is_watching_;
};

}  // namespace ez_rknn::engine
