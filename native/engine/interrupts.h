/* Ctrl-C while the calling thread is inside the runtime.
 *
 * A host that defers its signal handlers, as Python does until the interpreter goes on, never comes to run them when a
 * call of the runtime does not come back: nothing but SIGKILL would end the process. So while such a thread is inside,
 * the second SIGINT ends the process as an unhandled one does. The first is the host's. */
#pragma once

namespace ez_rknn::engine {

/* Watches SIGINT, unless another thread has it watched, or the host has no handler of its own: then SIGINT ends the
 * process anyway, or is ignored. Returns whether it does. Two system calls. */
bool watch_interrupts();

/* Gives SIGINT back to the host; after watch_interrupts() has returned true. */
void unwatch_interrupts();

/* Both for a block. */
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
