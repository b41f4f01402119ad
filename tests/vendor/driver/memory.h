/* SPDX-License-Identifier: Apache-2.0 */
/* The memory that the NPU can reach: shared files, each with an address that stands for the NPU's own. */
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <list>
#include <mutex>
#include <vector>

#include "fake_npu.h"

namespace fake_npu {

/* One allocation: an anonymous file, mapped once by the driver itself and by each client that asks for it. */
class Memory {
  public:
    Memory(uint32_t handle, int file, uint64_t size, uint64_t dma_address, bool imported);
    ~Memory();
    Memory(const Memory &) = delete;
    Memory &operator=(const Memory &) = delete;

    uint32_t handle() const { return handle_; }
    int file() const { return file_; }
    uint64_t size() const { return size_; }
    uint64_t dma_address() const { return dma_address_; }
    /* What the kernel calls this memory; the runtime only hands it back. */
    uint64_t object() const { return 0xffffff8000000000 + uint64_t{handle_} * 0x100; }
    ino_t inode() const;
    fake_npu_memory description() const;

  private:
    uint32_t handle_;
    int file_;
    uint64_t size_;
    uint64_t dma_address_;
    bool imported_;
    void *mapping_;
};

/* All allocations of the process, in the order in which they were made. Thread-safe. What find_* return stays valid
 * until it is destroyed, which is the runtime's own doing. */
class MemoryTable {
  public:
    /* Throws std::system_error when there is no more. */
    Memory &create(uint64_t size);
    /* The memory behind a file descriptor of someone's; the same file is the same memory. */
    Memory &import(int fd);
    bool destroy(const Memory *memory);

    Memory *find_handle(uint32_t handle);
    Memory *find_object(uint64_t object);
    std::vector<fake_npu_memory> list();

  private:
    Memory &add(int file, uint64_t size, bool imported);

    std::mutex mutex_;  // guards everything below
    std::list<Memory> memories_;
    uint32_t next_handle_ = 1;
    uint64_t next_dma_address_ = 0x10000000;
};

}  // namespace fake_npu
