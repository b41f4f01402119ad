/* SPDX-License-Identifier: Apache-2.0 */
#include "devices/simulated/keeper.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "devices/simulated/keeper_loop.h"
#include "rknn_abi.h"
#include "rknnrt/base/status.h"

namespace ez_rknn::rknnrt::simulated {

namespace {

constexpr int out_of_the_way = 10; /* above the descriptors that the device gets */
constexpr int lifeline_in_keeper = 4;
constexpr int first_of_no_use = 5;
constexpr int last_signal = 64;
constexpr size_t signal_set_bytes = 8;      /* as the kernel has it */
constexpr size_t signal_action_bytes = 160; /* at least; all zero means the default */
constexpr int kill_timeout_ms = 10000;      /* for a process that the kernel cannot end at once */

#ifndef SYS_close_range
#define SYS_close_range 436 /* one number on every machine */
#endif

/* Everything that the clone needs, prepared beforehand: it allocates nothing. */
struct Launch {
    const char *path;
    char *const *arguments;
    char *const *environment;
    int input;
    int output;
    int control;
    int lifeline;
    bool invisible;
};

EZ_RKNN_UNCHECKED void send_news(KeeperNews news, int value) {
    const KeeperMessage message{news, value};
    syscall(SYS_write, lifeline_in_keeper, &message, sizeof message);
}

EZ_RKNN_UNCHECKED void take_default_signals() {
    const char defaults[signal_action_bytes] = {};
    for (int number = 1; number <= last_signal; ++number) {
        syscall(SYS_rt_sigaction, number, defaults, nullptr, signal_set_bytes);
    }
}

/* Closes every descriptor but the first ones; on kernels before 5.9 one by one. */
EZ_RKNN_UNCHECKED void close_the_rest() {
    if (syscall(SYS_close_range, first_of_no_use, ~0U, 0) == 0) return;
    const long folder = syscall(SYS_openat, AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY);
    if (folder < 0) return;
    alignas(8) char entries[1024];
    long size = 0;
    while ((size = syscall(SYS_getdents64, folder, entries, sizeof entries)) > 0) {
        for (long at = 0; at < size;) {
            const auto *entry = reinterpret_cast<const dirent64 *>(entries + at);
            int number = 0;
            for (const char *digit = entry->d_name; *digit >= '0' && *digit <= '9'; ++digit) {
                number = 10 * number + (*digit - '0');
            }
            if (number >= first_of_no_use && number != folder) syscall(SYS_close, number);
            at += entry->d_reclen;
        }
    }
    syscall(SYS_close, folder);
}

EZ_RKNN_UNCHECKED void take_descriptors(const Launch &launch) {
    const int taken[] = {launch.input, launch.output, launch.output, launch.control, launch.lifeline};
    for (int number = 0; number < first_of_no_use; ++number) {
        syscall(SYS_dup3, taken[number], number, number == lifeline_in_keeper ? O_CLOEXEC : 0);
    }
    close_the_rest();
}

[[noreturn]] EZ_RKNN_UNCHECKED void become_device(const Launch &launch, long keeper) {
    syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (syscall(SYS_getppid) == keeper) {
        // A session of its own: the terminal's signals are for the program.
        syscall(SYS_setsid);
        const uint64_t none = 0;
        syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, nullptr, signal_set_bytes);
        syscall(SYS_execve, launch.path, launch.arguments, launch.environment);
        send_news(KeeperNews::failed, errno);
    }
    for (;;) syscall(SYS_exit_group, 127);
}

[[noreturn]] EZ_RKNN_UNCHECKED void become_keeper(const Launch &launch) {
    syscall(SYS_prctl, PR_SET_NAME, "ezrknn-keeper", 0, 0, 0);
    syscall(SYS_setsid);
    take_default_signals();
    take_descriptors(launch);
    const long keeper = syscall(SYS_getpid);
    // Returns when the device has started its program, or has reported that it could not.
    const long device = syscall(SYS_clone, SIGCHLD | CLONE_VFORK, 0, 0, 0, 0);
    if (device == 0) become_device(launch, keeper);
    if (device < 0) {
        send_news(KeeperNews::failed, errno);
        for (;;) syscall(SYS_exit_group, 0);
    }
    send_news(KeeperNews::started, static_cast<int>(device));
    for (int number = 0; number < lifeline_in_keeper; ++number) syscall(SYS_close, number);
    const uint64_t child_ended = uint64_t{1} << (SIGCHLD - 1);
    const long signals = syscall(SYS_signalfd4, -1, &child_ended, signal_set_bytes, O_CLOEXEC | O_NONBLOCK);
    syscall(SYS_chdir, "/");  // so that no file system stays in use
    keep({static_cast<pid_t>(device), lifeline_in_keeper, static_cast<int>(signals), launch.invisible});
}

/* The keeper's process id, or -1 with errno. */
EZ_RKNN_UNCHECKED pid_t clone_keeper(Launch &launch) {
    launch.invisible = true;
    long pid = syscall(SYS_clone, 0, 0, 0, 0, 0);
    if (pid < 0 && errno == EINVAL) {
        // Under an emulator, which supports ordinary children only, and is itself part of the memory.
        launch.invisible = false;
        pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    }
    if (pid == 0) become_keeper(launch);
    return static_cast<pid_t>(pid);
}

/* Clones with all signals blocked: the program's handlers must not run in the clone, which keeps them blocked for
 * good. */
pid_t clone_keeper_without_signals(Launch &launch) {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const pid_t pid = clone_keeper(launch);
    const int error = errno;
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    errno = error;
    return pid;
}

std::vector<char *> pointers(std::vector<std::string> &words) {
    std::vector<char *> result;
    for (std::string &word : words) result.push_back(word.data());
    result.push_back(nullptr);
    return result;
}

FileDescriptor moved_up(int fd) {
    return FileDescriptor(fcntl(fd, F_DUPFD_CLOEXEC, out_of_the_way));
}

std::optional<KeeperMessage> next_news(int lifeline) {
    KeeperMessage message{};
    ssize_t size = 0;
    do {
        size = recv(lifeline, &message, sizeof message, 0);
    } while (size < 0 && errno == EINTR);
    if (size != sizeof message) return std::nullopt;
    return message;
}

[[noreturn]] void fail_to_start(const std::string &path, const char *reason) {
    fail(RKNN_ERR_DEVICE_UNAVAILABLE, "cannot start '", path, "': ", reason);
}

/* True if `fd` has something to read, or its end, within the time. */
bool becomes_readable(int fd, int timeout_ms) {
    pollfd readable{fd, POLLIN, 0};
    int ready = 0;
    do {
        ready = poll(&readable, 1, timeout_ms);
    } while (ready < 0 && errno == EINTR);
    return ready > 0;
}

}  // namespace

KeptProcess::KeptProcess(std::vector<std::string> command, std::vector<std::string> environment,
                         Descriptors descriptors) {
    launch(command, environment, descriptors);
    const std::optional<KeeperMessage> news = next_news(lifeline_.get());
    if (news && news->news == KeeperNews::started) {
        pid_ = news->value;
        return;
    }
    end(0);
    fail_to_start(command[0], news ? std::strerror(news->value) : "the process that was to start it was killed");
}

void KeptProcess::launch(std::vector<std::string> &command, std::vector<std::string> &environment,
                         Descriptors descriptors) {
    int ends[2] = {-1, -1};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        fail_to_start(command[0], std::strerror(errno));
    lifeline_ = FileDescriptor(ends[0]);
    const FileDescriptor far(ends[1]);
    const FileDescriptor nothing(open("/dev/null", O_RDONLY | O_CLOEXEC));
    const FileDescriptor input = moved_up(nothing ? nothing.get() : descriptors.output);
    const FileDescriptor output = moved_up(descriptors.output);
    const FileDescriptor control = moved_up(descriptors.control);
    const FileDescriptor lifeline = moved_up(far.get());
    const std::vector<char *> arguments = pointers(command);
    const std::vector<char *> variables = pointers(environment);
    Launch plan{arguments[0], arguments.data(), variables.data(), input.get(),
                output.get(), control.get(),    lifeline.get(),   true};
    const pid_t keeper = clone_keeper_without_signals(plan);
    if (keeper < 0) fail_to_start(command[0], std::strerror(errno));
    keeper_ = keeper;
}

bool KeptProcess::await_end(int timeout_ms) noexcept {
    while (becomes_readable(lifeline_.get(), timeout_ms)) {
        const std::optional<KeeperMessage> news = next_news(lifeline_.get());
        if (!news) return true;
        if (news->news == KeeperNews::ended) status_ = news->value;
    }
    return false;
}

void KeptProcess::end(int grace_ms) noexcept {
    if (keeper_ == 0) return;
    bool ended = grace_ms != 0 && await_end(grace_ms);
    if (!ended) {
        shutdown(lifeline_.get(), SHUT_WR);
        ended = await_end(kill_timeout_ms);
    }
    lifeline_.close();
    // A device stuck in the kernel stays until that is over, and its keeper with it. ECHILD: the program has collected
    // the keeper, by a wait for all kinds of children.
    while (waitpid(keeper_, nullptr, __WALL | (ended ? 0 : WNOHANG)) < 0 && errno == EINTR) {
    }
    keeper_ = 0;
}

std::string KeptProcess::ending() const {
    if (status_ && WIFSIGNALED(*status_)) return text_of("was killed by signal ", WTERMSIG(*status_));
    if (status_ && WIFEXITED(*status_)) return text_of("ended with status ", WEXITSTATUS(*status_));
    return "ended";
}

}  // namespace ez_rknn::rknnrt::simulated
