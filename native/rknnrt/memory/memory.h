/* Memory that the program and the NPU share: what stands behind a rknn_tensor_mem.
 *
 * Memory of rknn_create_mem is a file without a name (memfd), so that its descriptor can be given to another context or
 * another process and be mapped there, as a dma-buf can. Memory of rknn_create_mem_from_fd is somebody else's file: as
 * in the vendor's library nothing is looked at until it is bound. Then it is mapped through the descriptor, at the
 * offset, because that is the way in which an NPU reaches it; the program's own address of it is not used. */
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>

#include "devices/simulated/sram.h"
#include "rknn_abi.h"
#include "rknnrt/base/pages.h"
#include "rknnrt/memory/coherence.h"

namespace ez_rknn::simulator {

class Memory {
  public:
    /* Of this library. `alloc_flags` are those of rknn_create_mem2, `sram` is what there was of the static memory, if
     * it was asked for. RKNN_ERR_MALLOC_FAIL when there is no memory. */
    Memory(uint32_t size, uint64_t alloc_flags, Sram::Share sram);
    /* Of somebody else, from `offset` in the file; nothing is checked yet. */
    Memory(int32_t fd, void *virt_addr, uint32_t size, int32_t offset);
    ~Memory();
    Memory(const Memory &) = delete;
    Memory &operator=(const Memory &) = delete;

    /* What the program sees. */
    rknn_tensor_mem *handle() const { return handle_.get(); }
    /* Gives the handle up: it shall outlive the memory, so that its address is not another memory's at once. */
    std::unique_ptr<rknn_tensor_mem> release_handle() { return std::move(handle_); }

    uint32_t size() const { return size_; }
    /* What it takes of the system's memory; nothing when it is somebody else's. */
    int64_t allocated_bytes() const { return own_ ? int64_t{size_} : 0; }
    uint64_t alloc_flags() const { return alloc_flags_; }
    bool cacheable() const { return (alloc_flags_ & RKNN_FLAG_MEMORY_NON_CACHEABLE) == 0; }
    /* What rknn_mem_sync does. `look`: somebody will ask whether it was called when it had to be. */
    void flush(bool look);
    Coherence &coherence() { return coherence_; }

    /* Whether the program said where the CPU finds it; the vendor's library binds no other. */
    bool has_address() const { return has_address_; }

    /* Makes it reachable for the NPU: from then on data() is valid. Fails in words where that is impossible. */
    void import();
    uint8_t *data() const { return data_; }
    bool writable() const { return writable_; }

    /* Who has it bound must not use it any more: it was given back, or its context is gone. */
    enum class State { usable, freed, without_context };
    State state() const { return state_; }
    void set_state(State state) { state_ = state; }

    /* Of runs that are reading or writing it. */
    void add_user() { ++users_; }
    void remove_user() { --users_; }
    bool in_use() const { return users_ != 0; }

  private:
    void create();
    void map_file();

    const uint32_t size_;
    const uint64_t alloc_flags_;
    const bool own_;
    const bool has_address_;
    const int32_t offset_;
    int32_t fd_;
    std::unique_ptr<rknn_tensor_mem> handle_;
    std::mutex import_mutex_; /* guards the three below until data_ is set; from then on they do not change */
    Pages pages_;
    uint8_t *data_ = nullptr;
    bool writable_ = true;
    Coherence coherence_;
    Sram::Share sram_;
    std::atomic<State> state_{State::usable};
    std::atomic<uint32_t> users_{0};
};

}  // namespace ez_rknn::simulator
