/* SPDX-License-Identifier: Apache-2.0 */
/* All memory that the program made, by the address of its rknn_tensor_mem. Foreign and stale addresses are recognised
 * instead of followed. */
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <unordered_map>

#include "common/mutex.h"
#include "rknnrt/memory/memory.h"

namespace ez_rknn::rknnrt {

/* The allocations of one context; its identity marks the context's memory. */
struct MemoryAccount {
    std::atomic<uint64_t> bytes{0};
};

class MemoryRegistry {
  public:
    /* `owner` may be NULL: memory of no context. */
    rknn_tensor_mem *add(const std::shared_ptr<Memory> &memory, const std::shared_ptr<MemoryAccount> &owner);
    /* Fails with RKNN_ERR_PARAM_INVALID, saying what is wrong with the address, if there is no such memory. */
    std::shared_ptr<Memory> find(const rknn_tensor_mem *handle);
    /* Gives memory back. Fails with RKNN_ERR_FAIL, with no effect, while a run uses it. */
    void destroy(const rknn_tensor_mem *handle);
    /* Marks the memory of a context that is being destroyed. Returns the number of memories never destroyed. */
    size_t orphan(const MemoryAccount &owner);

  private:
    struct Entry {
        std::shared_ptr<Memory> memory;
        std::weak_ptr<MemoryAccount> owner;
    };
    [[noreturn]] void fail_as_unknown(const rknn_tensor_mem *handle) const EZ_RKNN_REQUIRES(mutex_);

    Mutex mutex_;
    std::unordered_map<const rknn_tensor_mem *, Entry> entries_ EZ_RKNN_GUARDED_BY(mutex_);
    /* The latest ones given back; kept so that their addresses are not reused while a program may still have them. */
    std::deque<std::unique_ptr<rknn_tensor_mem>> destroyed_ EZ_RKNN_GUARDED_BY(mutex_);
};

}  // namespace ez_rknn::rknnrt
