/* All memory that the program made, by the address of its rknn_tensor_mem. Addresses that are none of ours, or no
 * longer, are recognised instead of followed. */
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <unordered_map>

#include "common/mutex.h"
#include "rknnrt/memory/memory.h"

namespace ez_rknn::rknnrt {

/* What one context has allocated, and what tells its memory from that of others. */
struct MemoryAccount {
    std::atomic<uint64_t> bytes{0};
};

class MemoryRegistry {
  public:
    /* `owner` may be NULL: memory of no context. */
    rknn_tensor_mem *add(const std::shared_ptr<Memory> &memory, const std::shared_ptr<MemoryAccount> &owner);
    /* RKNN_ERR_PARAM_INVALID, saying what is wrong with the address, when there is no such memory. */
    std::shared_ptr<Memory> find(const rknn_tensor_mem *handle);
    /* Gives memory back. RKNN_ERR_FAIL, and nothing happens, while a run uses it. */
    void destroy(const rknn_tensor_mem *handle);
    /* A context is going: marks its memory. Returns how many were never destroyed. */
    size_t orphan(const MemoryAccount &owner);

  private:
    struct Entry {
        std::shared_ptr<Memory> memory;
        std::weak_ptr<MemoryAccount> owner;
    };
    [[noreturn]] void fail_as_unknown(const rknn_tensor_mem *handle) const EZ_RKNN_REQUIRES(mutex_);

    Mutex mutex_;
    std::unordered_map<const rknn_tensor_mem *, Entry> entries_ EZ_RKNN_GUARDED_BY(mutex_);
    /* The latest ones that were given back; kept, so that their addresses are not in use again while a program may
     * still have them. */
    std::deque<std::unique_ptr<rknn_tensor_mem>> destroyed_ EZ_RKNN_GUARDED_BY(mutex_);
};

}  // namespace ez_rknn::rknnrt
