/* SPDX-License-Identifier: Apache-2.0 */
/* The driver: what each ioctl does. */
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <string>

#include "fake_npu.h"
#include "kernel_interface.h"
#include "memory.h"

namespace fake_npu {

/* One for the process, like a kernel's. Thread-safe. */
class Driver {
  public:
    static Driver &instance();

    /* A file descriptor that stands for the opened device node. */
    int open();
    void close(int fd);
    bool is_device(int fd);

    /* As ioctl: 0, or -1 with errno. */
    int control(unsigned long number, void *argument);
    /* The memory that an offset of mmap names; nullptr if there is none. */
    Memory *mapped_at(uint64_t offset);

    MemoryTable &memories() { return memories_; }
    void on_submit(fake_npu_submit_callback callback) { callback_ = callback; }
    uint64_t count(const std::string &name);
    void tally(const std::string &name);

  private:
    int dispatch(Request request, void *argument);
    int version(Version &answer);
    int action(Action &answer);
    int submit(Submit &submit);
    int create(MemoryCreate &answer);
    int destroy(const Memory *memory);

    MemoryTable memories_;
    std::atomic<fake_npu_submit_callback> callback_{nullptr};

    std::mutex mutex_;  // guards what follows
    std::set<int> devices_;
    std::map<std::string, uint64_t> counts_;
};

}  // namespace fake_npu
