/* SPDX-License-Identifier: Apache-2.0 */
/* The functions of the C library that stand between the runtime and a kernel driver. Loaded before the C library
 * (LD_PRELOAD), they lead to the faked driver what concerns the NPU, and pass on the rest. */
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <cstdarg>
#include <cstring>

#include "driver.h"

using fake_npu::Driver;
using fake_npu::Memory;

namespace {

// The only device node there is; the runtime also looks for /dev/rknpu, and finds that it is not there.
constexpr char device_node[] = "/dev/dri/card0";

bool is_device(const char *path) {
    return path && std::strcmp(path, device_node) == 0;
}

/* The C library's own function. */
template <typename Function>
Function *next(const char *name) {
    return reinterpret_cast<Function *>(dlsym(RTLD_NEXT, name));
}

struct stat device_status() {
    struct stat status{};
    status.st_mode = S_IFCHR | 0666;
    status.st_rdev = makedev(226, 0);
    return status;
}

void *map(const char *name, void *address, size_t size, int protection, int flags, int fd, off_t offset) {
    auto *real = next<void *(void *, size_t, int, int, int, off_t)>(name);
    if (fd < 0 || !Driver::instance().is_device(fd)) return real(address, size, protection, flags, fd, offset);
    const Memory *memory = Driver::instance().mapped_at(static_cast<uint64_t>(offset));
    if (!memory) {
        errno = EINVAL;
        return MAP_FAILED;
    }
    return real(address, size, protection, flags, memory->file(), 0);
}

}  // namespace

extern "C" {

int open(const char *path, int flags, ...) {
    if (is_device(path)) return Driver::instance().open();
    std::va_list arguments;
    va_start(arguments, flags);
    const auto mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : mode_t{};
    va_end(arguments);
    static auto *real = next<int(const char *, int, ...)>("open");
    return real(path, flags, mode);
}

int close(int fd) {
    Driver::instance().close(fd);
    static auto *real = next<int(int)>("close");
    return real(fd);
}

int ioctl(int fd, unsigned long number, ...) {
    std::va_list arguments;
    va_start(arguments, number);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    if (Driver::instance().is_device(fd)) return Driver::instance().control(number, argument);
    if (fake_npu::device_kind(number) == fake_npu::dma_buf_kind) {
        // Our memory is plain files; a real one would be a dma-buf, whose caches this ioctl cares for.
        Driver::instance().tally("DMA_BUF_SYNC");
        return 0;
    }
    static auto *real = next<int(int, unsigned long, ...)>("ioctl");
    return real(fd, number, argument);
}

void *mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset) {
    return map("mmap", address, size, protection, flags, fd, offset);
}

void *mmap64(void *address, size_t size, int protection, int flags, int fd, off64_t offset) {
    return map("mmap64", address, size, protection, flags, fd, offset);
}

/* stat and fstat, under the names by which programs built against an older C library know them. */
int __xstat(int, const char *path, struct stat *status) {
    if (!is_device(path)) return stat(path, status);
    *status = device_status();
    return 0;
}

int __fxstat(int, int fd, struct stat *status) {
    if (!Driver::instance().is_device(fd)) return fstat(fd, status);
    *status = device_status();
    return 0;
}

}  // extern "C"
