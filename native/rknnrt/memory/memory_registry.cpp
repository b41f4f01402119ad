/* SPDX-License-Identifier: Apache-2.0 */
#include "rknnrt/memory/memory_registry.h"

#include <algorithm>

#include "rknn_abi.h"
#include "rknnrt/base/status.h"

namespace ez_rknn::rknnrt {

namespace {

constexpr size_t destroyed_to_remember = 4096;

/* From here on no run can start using it; a running one keeps it. */
void release(Memory &memory) {
    const Memory::State before = memory.state();
    memory.set_state(Memory::State::freed);
    if (!memory.in_use()) return;
    memory.set_state(before);
    fail(RKNN_ERR_FAIL, "an inference that is running reads or writes this memory; destroy it when the run has ended");
}

}  // namespace

rknn_tensor_mem *MemoryRegistry::add(const std::shared_ptr<Memory> &memory,
                                     const std::shared_ptr<MemoryAccount> &owner) {
    const Lock lock(mutex_);
    entries_[memory->handle()] = {memory, owner};
    if (owner != nullptr) owner->bytes += static_cast<uint64_t>(memory->allocated_bytes());
    return memory->handle();
}

void MemoryRegistry::fail_as_unknown(const rknn_tensor_mem *handle) const {
    if (handle == nullptr) fail(RKNN_ERR_PARAM_INVALID, "the memory is NULL");
    const bool was_known = std::any_of(destroyed_.begin(), destroyed_.end(),
                                       [&](const auto &destroyed) { return destroyed.get() == handle; });
    if (was_known) fail(RKNN_ERR_PARAM_INVALID, "this memory was destroyed already (rknn_destroy_mem)");
    fail(RKNN_ERR_PARAM_INVALID, "this is not memory returned by rknn_create_mem or a related function");
}

std::shared_ptr<Memory> MemoryRegistry::find(const rknn_tensor_mem *handle) {
    const Lock lock(mutex_);
    const auto found = entries_.find(handle);
    if (found == entries_.end()) fail_as_unknown(handle);
    return found->second.memory;
}

void MemoryRegistry::destroy(const rknn_tensor_mem *handle) {
    std::shared_ptr<Memory> memory;  // freed after the lock is released, unless still bound
    const Lock lock(mutex_);
    const auto found = entries_.find(handle);
    if (found == entries_.end()) fail_as_unknown(handle);
    memory = found->second.memory;
    release(*memory);
    const std::shared_ptr<MemoryAccount> owner = found->second.owner.lock();
    if (owner != nullptr) owner->bytes -= static_cast<uint64_t>(memory->allocated_bytes());
    entries_.erase(found);
    destroyed_.push_back(memory->release_handle());
    if (destroyed_.size() > destroyed_to_remember) destroyed_.pop_front();
}

size_t MemoryRegistry::orphan(const MemoryAccount &owner) {
    const Lock lock(mutex_);
    size_t count = 0;
    for (auto &[handle, entry] : entries_) {
        if (entry.owner.lock().get() != &owner) continue;
        entry.memory->set_state(Memory::State::without_context);
        ++count;
    }
    return count;
}

}  // namespace ez_rknn::rknnrt
