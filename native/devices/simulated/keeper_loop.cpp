/* SPDX-License-Identifier: Apache-2.0 */
#include "devices/simulated/keeper_loop.h"

#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>

#include "common/inline.h"

/* The keeper is a clone of the program. If it kept the program's memory, every page that the program writes would exist
 * twice, and shared memory would outlive the program's use of it. So it unmaps everything but the few pages that it
 * runs on. After that it must call nothing, not even the C library: the functions below are in a section of their own,
 * which stays, and make their system calls themselves. */
#if defined(__x86_64__) || defined(__aarch64__)
#define EZ_RKNN_KEEPER_CODE __attribute__((noinline, section("ez_rknn_keeper")))
#else
#define EZ_RKNN_KEEPER_CODE
#endif

extern "C" {
// The bounds of that section; from the linker.
extern const char __start_ez_rknn_keeper[] __attribute__((visibility("hidden"), weak));
extern const char __stop_ez_rknn_keeper[] __attribute__((visibility("hidden"), weak));
}

namespace ez_rknn::rknnrt::simulated {

namespace {

constexpr size_t signal_set_bytes = 8; /* as the kernel has it */
constexpr uintptr_t room = 128 << 10;  /* kept on either side of the used parts of the stack and of the thread's data */
constexpr int most_address_bits = 56;
constexpr int least_address_bits = 36;

struct Window {
    uintptr_t begin;
    uintptr_t end;
};

/* In the frame of keep(), so that the functions in the section have no arrays, which the compiler would guard. */
struct Watch {
    Window kept[3];
    uintptr_t page;
    pollfd sources[2]; /* the lifeline, and the signals */
    KeeperMessage ended;
    pid_t device;
    int lifeline;
    char signal[128]; /* read and ignored */
};

#if defined(__x86_64__)
EZ_RKNN_UNCHECKED EZ_RKNN_INLINE long system_call(long number, long a = 0, long b = 0, long c = 0, long d = 0,
                                                  long e = 0) {
    register long fourth __asm__("r10") = d;
    register long fifth __asm__("r8") = e;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth)
                     : "rcx", "r11", "memory");
    return result;
}
#elif defined(__aarch64__)
EZ_RKNN_UNCHECKED EZ_RKNN_INLINE long system_call(long number, long a = 0, long b = 0, long c = 0, long d = 0,
                                                  long e = 0) {
    register long code __asm__("x8") = number;
    register long first __asm__("x0") = a;
    register long second __asm__("x1") = b;
    register long third __asm__("x2") = c;
    register long fourth __asm__("x3") = d;
    register long fifth __asm__("x4") = e;
    __asm__ volatile("svc 0" : "+r"(first) : "r"(code), "r"(second), "r"(third), "r"(fourth), "r"(fifth) : "memory");
    return first;
}
#else
EZ_RKNN_INLINE long system_call(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0) {
    return syscall(number, a, b, c, d, e);
}
#endif

template <typename Value>
EZ_RKNN_UNCHECKED EZ_RKNN_INLINE long address(Value *value) {
    return reinterpret_cast<long>(value);
}

EZ_RKNN_UNCHECKED EZ_RKNN_INLINE void unmap(uintptr_t begin, uintptr_t end) {
    if (end > begin) system_call(SYS_munmap, static_cast<long>(begin), static_cast<long>(end - begin));
}

EZ_RKNN_UNCHECKED EZ_RKNN_INLINE void let_go_of_memory(const Watch *watch) {
    uintptr_t at = watch->page;
    for (const Window &kept : watch->kept) {
        unmap(at, kept.begin);
        if (kept.end > at) at = kept.end;
    }
    // The highest address depends on the machine; a range that exceeds it is refused whole.
    for (int bits = most_address_bits; bits >= least_address_bits; --bits) {
        const uintptr_t end = (uintptr_t{1} << bits) - watch->page;
        if (end > at && system_call(SYS_munmap, static_cast<long>(at), static_cast<long>(end - at)) == 0) return;
    }
}

EZ_RKNN_UNCHECKED EZ_RKNN_INLINE void watch_over(Watch *watch) {
    do {
        system_call(SYS_ppoll, address(watch->sources), 2, 0, 0, signal_set_bytes);
        if (watch->sources[0].revents != 0) {
            // The program is gone, or the grace period is over. SIGKILL ends stopped processes too, here the whole
            // group: the interpreter may be a script that has started another process.
            system_call(SYS_kill, -watch->device, SIGKILL);
            watch->sources[0].fd = -1;
        }
        system_call(SYS_read, watch->sources[1].fd, address(watch->signal), sizeof watch->signal);
    } while (system_call(SYS_wait4, watch->device, address(&watch->ended.value), WNOHANG, 0) == 0);
}

EZ_RKNN_KEEPER_CODE EZ_RKNN_UNCHECKED void keep_to_the_end(Watch *watch, bool lets_go) {
    if (lets_go) let_go_of_memory(watch);
    watch_over(watch);
    system_call(SYS_write, watch->lifeline, address(&watch->ended), sizeof watch->ended);
    for (;;) system_call(SYS_exit_group, 0);
}

EZ_RKNN_UNCHECKED Window around(const void *begin, const void *end, uintptr_t margin, uintptr_t page) {
    return {(reinterpret_cast<uintptr_t>(begin) - margin) & ~(page - 1),
            (reinterpret_cast<uintptr_t>(end) + margin + page - 1) & ~(page - 1)};
}

EZ_RKNN_UNCHECKED void sort(Window (&windows)[3]) {
    for (int pass = 0; pass < 2; ++pass) {
        for (int i = 0; i < 2; ++i) {
            if (windows[i].begin <= windows[i + 1].begin) continue;
            const Window first = windows[i];
            windows[i] = windows[i + 1];
            windows[i + 1] = first;
        }
    }
}

}  // namespace

EZ_RKNN_UNCHECKED void keep(const KeeperState &state) {
    Watch watch;
    watch.page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
    watch.kept[0] = around(__start_ez_rknn_keeper, __stop_ez_rknn_keeper, 0, watch.page);
    watch.kept[1] = around(&watch, &watch + 1, room, watch.page);
    // The kernel writes into a thread's data (restartable sequences); and the compiler's guards are there.
    const auto *thread = reinterpret_cast<const void *>(pthread_self());
    watch.kept[2] = around(thread, thread, room, watch.page);
    sort(watch.kept);
    watch.sources[0] = {state.lifeline, POLLIN, 0};
    watch.sources[1] = {state.signals, POLLIN, 0};
    watch.ended = {KeeperNews::ended, 0};
    watch.device = state.device;
    watch.lifeline = state.lifeline;
    keep_to_the_end(&watch, state.unmaps_memory && __start_ez_rknn_keeper != nullptr);
    _exit(0);
}

}  // namespace ez_rknn::rknnrt::simulated
