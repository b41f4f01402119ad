/* SPDX-License-Identifier: Apache-2.0 */
/* Memory shared by the program and the NPU, behind a rknn_tensor_mem.
 *
 * Memory of rknn_create_mem is the device's. Memory of rknn_create_mem_from_fd is a file of the program's: as in the
 * vendor's library it is not looked at until it is bound. Then the device imports it, by its descriptor and offset; the
 * program's own address of it is not used. */
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "common/mutex.h"
#include "rknn_abi.h"
#include "rknnrt/device/device.h"
#include "rknnrt/memory/coherence.h"

namespace ez_rknn::rknnrt {

class Memory {
  public:
    /* Memory of the device. `alloc_flags` are those of rknn_create_mem2. */
    Memory(std::unique_ptr<DeviceMemory> memory, uint64_t alloc_flags);
    /* Memory of the program, from `offset` in the file; nothing is checked until `device` imports it. */
    Memory(Device &device, int32_t fd, void *virt_addr, uint32_t size, int32_t offset);
    Memory(const Memory &) = delete;
    Memory &operator=(const Memory &) = delete;

    /* The program's view of it. */
    rknn_tensor_mem *handle() const { return handle_.get(); }
    /* Gives up the handle: it must outlive the memory, so that its address is not reused at once. */
    std::unique_ptr<rknn_tensor_mem> release_handle() { return std::move(handle_); }

    uint32_t size() const { return size_; }
    /* The system memory that it takes; 0 for the program's own. */
    int64_t allocated_bytes() const { return importer_ == nullptr ? int64_t{size_} : 0; }
    uint64_t alloc_flags() const { return alloc_flags_; }
    bool cacheable() const { return (alloc_flags_ & RKNN_FLAG_MEMORY_NON_CACHEABLE) == 0; }
    /* Performs rknn_mem_sync. `look`: remember the bytes, for a check that it was called when necessary. */
    void flush(bool look);
    Coherence &coherence() { return coherence_; }

    /* True if the program gave its address for the CPU; the vendor's library binds no other. */
    bool has_address() const { return has_address_; }

    /* Makes it reachable for the NPU: from then on there is device_memory(). Fails with a clear message if that is
     * impossible. */
    void import();
    DeviceMemory &device_memory() const { return *memory_; }
    uint8_t *data() const { return device_memory().data(); }
    bool writable() const { return device_memory().writable(); }

    /* Bound memory in another state than usable must not be used: it was given back, or its context is gone. */
    enum class State { usable, freed, without_context };
    State state() const { return state_; }
    void set_state(State state) { state_ = state; }

    /* Counts runs that are reading or writing it. */
    void add_user() { ++users_; }
    void remove_user() { --users_; }
    bool in_use() const { return users_ != 0; }

  private:
    const uint32_t size_;
    const uint64_t alloc_flags_;
    const bool has_address_;
    Device *const importer_ = nullptr; /* of the program's memory */
    const int32_t fd_ = -1;
    const int32_t offset_ = 0;
    std::unique_ptr<rknn_tensor_mem> handle_;
    Mutex mutex_; /* held while memory is imported */
    std::unique_ptr<DeviceMemory> owned_ EZ_RKNN_GUARDED_BY(mutex_);
    std::atomic<DeviceMemory *> memory_{nullptr}; /* the same; once set it does not change */
    Coherence coherence_;
    std::atomic<State> state_{State::usable};
    std::atomic<uint32_t> users_{0};
};

}  // namespace ez_rknn::rknnrt
