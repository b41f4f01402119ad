/* What the keeper runs once the device process is started. */
#pragma once

#include <poll.h>
#include <sys/types.h>

#include <cstdint>

/* In a clone only system calls are made, and by hand: other threads of the program may hold any lock of the C library
 * or of a sanitizer, and a sanitizer's own functions would take theirs. */
#define EZ_RKNN_UNCHECKED __attribute__((no_sanitize("address", "thread", "undefined")))

namespace ez_rknn::rknnrt::simulated {

/* What a keeper tells the program: that the device was started (its process id), could not be (errno), or has ended
 * (the status of wait()). */
enum class KeeperNews : int32_t { started = 1, failed = 2, ended = 3 };
struct KeeperMessage {
    KeeperNews news;
    int32_t value;
};

struct KeeperState {
    pid_t device;
    int lifeline;
    int signals; /* a signalfd of SIGCHLD */
    bool lets_go_of_memory;
};

/* Only in a process that was cloned for it. Gives the program's memory back, which the clone has copies of, and returns
 * when the device has been collected. */
[[noreturn]] void keep(const KeeperState &state);

}  // namespace ez_rknn::rknnrt::simulated
