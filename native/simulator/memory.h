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

#include "pages.h"
#include "rknn_abi.h"

namespace ez_rknn::simulator {

class Memory {
  public:
    /* Of this library. `alloc_flags` are those of rknn_create_mem2. RKNN_ERR_MALLOC_FAIL when there is none. */
    Memory(uint32_t size, uint64_t alloc_flags);
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

    /* Makes it reachable for the NPU: from then on data() is valid. Fails in words where that is impossible. */
    void import();
    uint8_t *data() const { return data_; }
    bool writable() const { return writable_; }

    /* Who has it bound must not use it any more: it was given back, or its context is gone. */
    enum class State { usable, freed, without_context };
    State state() const { return state_.load(std::memory_order_acquire); }
    void set_state(State state) { state_.store(state, std::memory_order_release); }

  private:
    void create();
    void map_file();

    const uint32_t size_;
    const uint64_t alloc_flags_;
    const bool own_;
    const int32_t offset_;
    int32_t fd_;
    std::unique_ptr<rknn_tensor_mem> handle_;
    std::mutex import_mutex_; /* guards the three below until data_ is set; from then on they do not change */
    Pages pages_;
    uint8_t *data_ = nullptr;
    bool writable_ = true;
    std::atomic<State> state_{State::usable};
};

}  // namespace ez_rknn::simulator
