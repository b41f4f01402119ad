/* SPDX-License-Identifier: Apache-2.0 */
/* The keeper's loop, once the device process is started. */
#pragma once

#include <poll.h>
#include <sys/types.h>

#include <cstdint>

/* A clone makes only system calls, and without the C library: other threads of the program may hold any of its locks or
 * of a sanitizer's, and a sanitizer's own functions would take theirs. */
#define EZ_RKNN_UNCHECKED __attribute__((no_sanitize("address", "thread", "undefined")))

namespace ez_rknn::rknnrt::simulated {

/* The keeper's messages to the program: that the device was started (its process id), could not be (errno), or has
 * ended (the status of wait()). */
enum class KeeperNews : int32_t { started = 1, failed = 2, ended = 3 };
struct KeeperMessage {
    KeeperNews news;
    int32_t value;
};

struct KeeperState {
    pid_t device;
    int lifeline;
    int signals; /* a signalfd of SIGCHLD */
    bool unmaps_memory;
};

/* Runs the keeper; only in a process cloned for it. Unmaps the clone's copy of the program's memory, and exits when the
 * device has been collected. */
[[noreturn]] void keep(const KeeperState &state);

}  // namespace ez_rknn::rknnrt::simulated
