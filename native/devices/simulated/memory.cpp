/* SPDX-License-Identifier: Apache-2.0 */
#include "devices/simulated/memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include "rknn_abi.h"
#include "rknnrt/base/status.h"

namespace ez_rknn::rknnrt::simulated {

namespace {

/* Addresses as the NPU would see them: made up, page by page, never twice. */
uint64_t next_npu_address(size_t size) {
    static std::atomic<uint64_t> next{0x10000000};
    constexpr uint64_t page = 4096;
    return next.fetch_add((size + page - 1) / page * page);
}

/* The size of a regular file, or of a dma-buf, which only lseek tells. */
int64_t file_size(int fd) {
    struct stat file{};
    if (fstat(fd, &file) != 0) return -1;
    return S_ISREG(file.st_mode) ? file.st_size : lseek(fd, 0, SEEK_END);
}

}  // namespace

void SimulatedMemory::map(Pages pages, size_t skipped, size_t size) {
    pages_ = std::move(pages);
    data_ = pages_.data() + skipped;
    size_ = size;
}

std::unique_ptr<SimulatedMemory> SimulatedMemory::buffer(size_t size) {
    std::unique_ptr<SimulatedMemory> memory(new SimulatedMemory);
    memory->map(Pages(size), 0, size);
    return memory;
}

/* A plain descriptor, not one of those that a forked child closes: a child may import it, as it may a dma-buf. The file
 * is sealed against shrinking: touching a mapping beyond its file's end would raise SIGBUS. */
std::unique_ptr<SimulatedMemory> SimulatedMemory::file(size_t size, Sram::Share sram) {
    std::unique_ptr<SimulatedMemory> memory(new SimulatedMemory);
    memory->owns_fd_ = true;
    memory->fd_ = memfd_create("ez_rknn_memory", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (memory->fd_ < 0 || ftruncate(memory->fd_, static_cast<off_t>(size)) != 0) {
        fail(RKNN_ERR_MALLOC_FAIL, "cannot make ", size, " bytes of memory: ", std::strerror(errno));
    }
    fcntl(memory->fd_, F_ADD_SEALS, F_SEAL_SHRINK);
    memory->map(Pages::shared(memory->fd_, 0, size), 0, size);
    memory->npu_address_ = next_npu_address(size);
    memory->sram_ = std::move(sram);
    return memory;
}

std::unique_ptr<SimulatedMemory> SimulatedMemory::imported(int fd, int32_t offset, size_t size) {
    const int64_t available = file_size(fd);
    if (available < 0) {
        fail(RKNN_ERR_PARAM_INVALID, "file descriptor ", fd,
             " is not memory that the NPU can import: ", std::strerror(errno));
    }
    if (offset < 0 || available < offset + static_cast<int64_t>(size)) {
        fail(RKNN_ERR_PARAM_INVALID, "the memory should have ", size, " bytes from offset ", offset,
             ", but file descriptor ", fd, " has ", available);
    }
    const int64_t begin = offset / sysconf(_SC_PAGESIZE) * sysconf(_SC_PAGESIZE);
    const auto skipped = static_cast<size_t>(offset - begin);
    const int access = fcntl(fd, F_GETFL) & O_ACCMODE;
    std::unique_ptr<SimulatedMemory> memory(new SimulatedMemory);
    memory->fd_ = fd;
    memory->writable_ = access == O_RDWR;
    memory->map(memory->writable_ ? Pages::shared(fd, begin, skipped + size)
                                  : Pages::readonly_shared(fd, begin, skipped + size),
                skipped, size);
    return memory;
}

SimulatedMemory::~SimulatedMemory() {
    if (owns_fd_ && fd_ >= 0) close(fd_);
}

}  // namespace ez_rknn::rknnrt::simulated
