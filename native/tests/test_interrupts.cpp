/* SPDX-License-Identifier: Apache-2.0 */
/* SIGINT while the calling thread is inside the runtime; each test in a process of its own, which it may end. */
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <atomic>

#include "tests/check.h"
#include "tests/fake_runtime.h"

using namespace ez_rknn::tests;

namespace {

std::atomic<int> handled{0};

void count(int) {
    ++handled;
}

void install(void (*handler)(int)) {
    struct sigaction action{};
    action.sa_handler = handler;
    sigaction(SIGINT, &action, nullptr);
}

bool is_installed(void (*handler)(int)) {
    struct sigaction action{};
    sigaction(SIGINT, nullptr, &action);
    return action.sa_handler == handler;
}

/* Waits longer than the time within which signals count as one. */
void let_time_pass() {
    const timespec time{0, 60'000'000};
    nanosleep(&time, nullptr);
}

/* Runs this in a process and returns its status, or 128 plus the signal that ended it. */
template <typename Body>
int status_of(Body body) {
    const pid_t child = fork();
    if (child == 0) _exit(body());
    int status = 0;
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

/* Users of a terminal expect it; the first is the host's. */
TEST(the_second_interrupt_ends_the_process) {
    const int status = status_of([] {
        install(count);
        if (ezr_watch_interrupts() != 1) return 1;
        raise(SIGINT);
        if (handled != 1) return 2;
        let_time_pass();
        raise(SIGINT);
        return 3;
    });
    CHECK_EQ(status, 128 + SIGINT);
}

/* A terminal and a process manager may both send one. */
TEST(interrupts_at_the_same_moment_are_one) {
    const int status = status_of([] {
        install(count);
        ezr_watch_interrupts();
        raise(SIGINT);
        raise(SIGINT);
        return handled == 2 ? 0 : 1;
    });
    CHECK_EQ(status, 0);
}

/* A host that handles them may get any number, one in each call. */
TEST(interrupts_of_different_calls_are_the_hosts) {
    const int status = status_of([] {
        install(count);
        for (int i = 0; i < 3; ++i) {
            if (ezr_watch_interrupts() != 1 || ezr_watch_interrupts() != 0) return 1;
            raise(SIGINT);
            let_time_pass();
            ezr_unwatch_interrupts();
            if (!is_installed(count)) return 2;
        }
        return handled == 3 ? 0 : 3;
    });
    CHECK_EQ(status, 0);
}

/* An ignored SIGINT stays ignored, and without a handler the first one ends the process as usual. */
TEST(a_host_without_a_handler_is_left_alone) {
    for (const auto handler : {SIG_IGN, SIG_DFL}) {
        const int status = status_of([&] {
            install(handler);
            return ezr_watch_interrupts() == 0 && is_installed(handler) ? 0 : 1;
        });
        CHECK_EQ(status, 0);
    }
}

/* A child does not have the thread that was inside. */
TEST(a_forked_child_has_its_own_handler_back) {
    const int status = status_of([] {
        install(count);
        ezr_watch_interrupts();
        return status_of([] { return is_installed(count) && ezr_watch_interrupts() == 1 ? 0 : 1; });
    });
    CHECK_EQ(status, 0);
}
