/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/interrupts.h"

#include <pthread.h>
#include <signal.h>

#include <atomic>

#include "engine/monotonic.h"

namespace ez_rknn::engine {
namespace {

/* Signals closer together count as one: the terminal's and a process manager's, say. */
constexpr int64_t apart_ns = 50'000'000;

std::atomic<bool> is_taken{false};
/* The host's handler. Only written while on_interrupt is not installed. */
struct sigaction host_action;
std::atomic<int64_t> first_ns{0}; /* when the first SIGINT came; 0: none has */
static_assert(std::atomic<int64_t>::is_always_lock_free, "a signal handler uses it");

bool has_function(const struct sigaction &action) {
    return (action.sa_flags & SA_SIGINFO) != 0 || (action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN);
}

void end_process(int signal) {
    struct sigaction ending = {};
    ending.sa_handler = SIG_DFL;
    sigaction(signal, &ending, nullptr);
    raise(signal);  // it is blocked while its handler runs, and delivered when that returns
}

void on_interrupt(int signal, siginfo_t *information, void *context) {
    const int64_t now = now_ns();
    int64_t first = 0;
    if (!first_ns.compare_exchange_strong(first, now) && now - first >= apart_ns) return end_process(signal);
    if ((host_action.sa_flags & SA_SIGINFO) != 0) {
        host_action.sa_sigaction(signal, information, context);
    } else {
        host_action.sa_handler(signal);
    }
}

/* The watching thread is not in the child, unless it is the one that forked, and that one is not inside the runtime. */
void forget_in_child() {
    if (is_taken.exchange(false)) sigaction(SIGINT, &host_action, nullptr);
}

}  // namespace

bool watch_interrupts() {
    static const int registered = pthread_atfork(nullptr, nullptr, forget_in_child);
    if (registered != 0 || is_taken.exchange(true)) return false;
    struct sigaction present;
    if (sigaction(SIGINT, nullptr, &present) == 0 && has_function(present)) {
        host_action = present;
        first_ns = 0;
        present.sa_sigaction = on_interrupt;
        present.sa_flags |= SA_SIGINFO;
        if (sigaction(SIGINT, &present, nullptr) == 0) return true;
    }
    is_taken = false;
    return false;
}

void unwatch_interrupts() {
    sigaction(SIGINT, &host_action, nullptr);
    is_taken = false;
}

}  // namespace ez_rknn::engine
