/* SPDX-License-Identifier: Apache-2.0 */
#include "memory.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace fake_npu {

namespace {

constexpr uint64_t page = 4096;

uint64_t whole_pages(uint64_t size) {
    return (size + page - 1) / page * page;
}

[[noreturn]] void fail(const char *what) {
    throw std::system_error(errno, std::generic_category(), what);
}

struct stat status_of(int fd) {
    struct stat status;
    if (fstat(fd, &status) != 0) fail("fstat");
    return status;
}

}  // namespace

Memory::Memory(uint32_t handle, int file, uint64_t size, uint64_t dma_address, bool imported)
    : handle_(handle),
      file_(file),
      size_(size),
      dma_address_(dma_address),
      imported_(imported),
      mapping_(mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0)) {
    if (mapping_ == MAP_FAILED) {
        close(file_);
        fail("mmap");
    }
}

Memory::~Memory() {
    munmap(mapping_, size_);
    close(file_);
}

ino_t Memory::inode() const {
    return status_of(file_).st_ino;
}

fake_npu_memory Memory::description() const {
    return {handle_, imported_ ? 1u : 0u, size_, dma_address_, mapping_};
}

Memory &MemoryTable::create(uint64_t size) {
    const int file = memfd_create("npu", MFD_CLOEXEC);
    if (file < 0) fail("memfd_create");
    if (ftruncate(file, static_cast<off_t>(whole_pages(size))) != 0) {
        close(file);
        fail("ftruncate");
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    return add(file, whole_pages(size), false);
}

Memory &MemoryTable::import(int fd) {
    const struct stat status = status_of(fd);
    if (!S_ISREG(status.st_mode)) {
        errno = EINVAL;
        fail("not memory");
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    for (Memory &memory : memories_) {
        if (memory.inode() == status.st_ino) return memory;
    }
    const int file = dup(fd);
    if (file < 0) fail("dup");
    return add(file, whole_pages(static_cast<uint64_t>(status.st_size)), true);
}

Memory &MemoryTable::add(int file, uint64_t size, bool imported) {
    Memory &memory = memories_.emplace_back(next_handle_, file, size, next_dma_address_, imported);
    ++next_handle_;
    // An unused page, so that an overrun does not meet the neighbour.
    next_dma_address_ += size + page;
    return memory;
}

bool MemoryTable::destroy(const Memory *memory) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const size_t before = memories_.size();
    memories_.remove_if([memory](const Memory &other) { return &other == memory; });
    return memories_.size() < before;
}

Memory *MemoryTable::find_handle(uint32_t handle) {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (Memory &memory : memories_) {
        if (memory.handle() == handle) return &memory;
    }
    return nullptr;
}

Memory *MemoryTable::find_object(uint64_t object) {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (Memory &memory : memories_) {
        if (memory.object() == object) return &memory;
    }
    return nullptr;
}

std::vector<fake_npu_memory> MemoryTable::list() {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::vector<fake_npu_memory> descriptions;
    for (const Memory &memory : memories_) descriptions.push_back(memory.description());
    return descriptions;
}

}  // namespace fake_npu
