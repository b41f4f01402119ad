/* Memory that the program and the NPU share: what stands behind a rknn_tensor_mem.
 *
 * Memory of rknn_create_mem is the device's. Memory of rknn_create_mem_from_fd is somebody else's file: as in the
 * vendor's library nothing is looked at until it is bound. Then the device imports it, by its descriptor and offset;
 * the program's own address of it is not used. */
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
    /* Of the device. `alloc_flags` are those of rknn_create_mem2. */
    Memory(std::unique_ptr<DeviceMemory> memory, uint64_t alloc_flags);
    /* Of somebody else, from `offset` in the file; nothing is checked before `device` is to import it. */
    Memory(Device &device, int32_t fd, void *virt_addr, uint32_t size, int32_t offset);
    Memory(const Memory &) = delete;
    Memory &operator=(const Memory &) = delete;

    /* What the program sees. */
    rknn_tensor_mem *handle() const { return handle_.get(); }
    /* Gives the handle up: it shall outlive the memory, so that its address is not another memory's at once. */
    std::unique_ptr<rknn_tensor_mem> release_handle() { return std::move(handle_); }

    uint32_t size() const { return size_; }
    /* What it takes of the system's memory; nothing when it is somebody else's. */
    int64_t allocated_bytes() const { return importer_ == nullptr ? int64_t{size_} : 0; }
    uint64_t alloc_flags() const { return alloc_flags_; }
    bool cacheable() const { return (alloc_flags_ & RKNN_FLAG_MEMORY_NON_CACHEABLE) == 0; }
    /* What rknn_mem_sync does. `look`: somebody will ask whether it was called when it had to be. */
    void flush(bool look);
    Coherence &coherence() { return coherence_; }

    /* Whether the program said where the CPU finds it; the vendor's library binds no other. */
    bool has_address() const { return has_address_; }

    /* Makes it reachable for the NPU: from then on there is device_memory(). Fails in words where that is impossible.
     */
    void import();
    DeviceMemory &device_memory() const { return *memory_; }
    uint8_t *data() const { return device_memory().data(); }
    bool writable() const { return device_memory().writable(); }

    /* Who has it bound must not use it any more: it was given back, or its context is gone. */
    enum class State { usable, freed, without_context };
    State state() const { return state_; }
    void set_state(State state) { state_ = state; }

    /* Of runs that are reading or writing it. */
    void add_user() { ++users_; }
    void remove_user() { --users_; }
    bool in_use() const { return users_ != 0; }

  private:
    const uint32_t size_;
    const uint64_t alloc_flags_;
    const bool has_address_;
    Device *const importer_ = nullptr; /* of somebody else's memory */
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
