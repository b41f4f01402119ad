/* SPDX-License-Identifier: Apache-2.0 */
#include "rknnrt/memory/memory.h"

#include "rknnrt/base/status.h"

namespace ez_rknn::rknnrt {

namespace {

constexpr uint64_t unknown_address = UINT64_MAX; /* as the vendor's library has it for imported memory */

}  // namespace

Memory::Memory(std::unique_ptr<DeviceMemory> memory, uint64_t alloc_flags)
    : size_(static_cast<uint32_t>(memory->size())),
      alloc_flags_(alloc_flags),
      has_address_(true),
      owned_(std::move(memory)),
      memory_(owned_.get()) {
    coherence_.begin(device_memory().fd(), true);
    handle_ = std::make_unique<rknn_tensor_mem>();
    *handle_ = {
        data(), device_memory().npu_address(), device_memory().fd(), 0, size_, RKNN_TENSOR_MEMORY_FLAGS_ALLOC_INSIDE,
        this};
}

Memory::Memory(Device &device, int32_t fd, void *virt_addr, uint32_t size, int32_t offset)
    : size_(size),
      alloc_flags_(RKNN_FLAG_MEMORY_FLAGS_DEFAULT),
      has_address_(virt_addr != nullptr),
      importer_(&device),
      fd_(fd),
      offset_(offset) {
    handle_ = std::make_unique<rknn_tensor_mem>();
    *handle_ = {virt_addr, unknown_address, fd, offset, size, RKNN_TENSOR_MEMORY_FLAGS_ALLOC_INSIDE, nullptr};
}

void Memory::import() {
    const Lock lock(mutex_);
    if (owned_ != nullptr) return;
    owned_ = importer_->import(fd_, offset_, size_);
    coherence_.begin(fd_, false);
    memory_ = owned_.get();
}

/* The program's memory may be flushed before it is ever bound; if it cannot be imported, binding reports why. */
void Memory::flush(bool look) {
    if (look) {
        try {
            import();
        } catch (const StatusError &) {
            return;
        }
    }
    if (look) {
        coherence_.flushed(data(), size_);
    } else {
        coherence_.flushed_unseen();
    }
}

}  // namespace ez_rknn::rknnrt
