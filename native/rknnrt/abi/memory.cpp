/* SPDX-License-Identifier: Apache-2.0 */
/* The vendor's interface: memory shared with the NPU. */
#include <cstdint>
#include <memory>
#include <utility>

#include "common/export.h"
#include "rknn_abi.h"
#include "rknnrt/abi/call.h"
#include "rknnrt/base/number_of.h"
#include "rknnrt/base/status.h"
#include "rknnrt/context/process.h"

using namespace ez_rknn::rknnrt;

namespace {

std::shared_ptr<Context> context_of(rknn_context handle) {
    return process_state().contexts.find(handle);
}

/* Runs the body; returns NULL when it fails. */
template <typename Make>
rknn_tensor_mem *made(const Call &call, Make &&make) {
    rknn_tensor_mem *memory = nullptr;
    guarded(call, [&] {
        memory = make();
        return RKNN_SUCC;
    });
    return memory;
}

rknn_tensor_mem *create(rknn_context ctx, uint64_t size, uint64_t flags) {
    const bool without_context = ctx == 0 && (flags & RKNN_MEM_FLAG_ALLOC_NO_CONTEXT) != 0;
    const std::shared_ptr<Context> owner = without_context ? nullptr : context_of(ctx);
    if (size == 0 || size > UINT32_MAX) fail(RKNN_ERR_PARAM_INVALID, "invalid size: ", size);
    ProcessState &state = process_state();
    const Soc *soc = owner != nullptr ? owner->model()->soc : nullptr;
    const auto memory = std::make_shared<Memory>(state.device->allocate(size, flags, soc), flags);
    return state.memories.add(memory, owner != nullptr ? owner->account() : nullptr);
}

}  // namespace

EZ_RKNN_EXPORT rknn_tensor_mem *rknn_create_mem(rknn_context ctx, uint32_t size) {
    return made({"rknn_create_mem", ctx}, [&] { return create(ctx, size, RKNN_FLAG_MEMORY_FLAGS_DEFAULT); });
}

EZ_RKNN_EXPORT rknn_tensor_mem *rknn_create_mem2(rknn_context ctx, uint64_t size, uint64_t alloc_flags) {
    return made({"rknn_create_mem2", ctx}, [&] { return create(ctx, size, alloc_flags); });
}

EZ_RKNN_EXPORT rknn_tensor_mem *rknn_create_mem_from_fd(rknn_context ctx, int32_t fd, void *virt_addr, uint32_t size,
                                                        int32_t offset) {
    return made({"rknn_create_mem_from_fd", ctx}, [&] {
        const std::shared_ptr<Context> owner = context_of(ctx);
        ProcessState &state = process_state();
        const auto memory = std::make_shared<Memory>(*state.device, fd, virt_addr, size, offset);
        return state.memories.add(memory, owner->account());
    });
}

EZ_RKNN_EXPORT rknn_tensor_mem *rknn_create_mem_from_phys(rknn_context ctx, uint64_t, void *, uint32_t) {
    return made({"rknn_create_mem_from_phys", ctx}, [&]() -> rknn_tensor_mem * {
        context_of(ctx);
        fail(RKNN_ERR_PARAM_INVALID, "the ", process_state().device->name(),
             " has no physical memory: use rknn_create_mem, or ",
             "rknn_create_mem_from_fd with the memory's file descriptor");
    });
}

EZ_RKNN_EXPORT rknn_tensor_mem *rknn_create_mem_from_mb_blk(rknn_context ctx, void *, int32_t) {
    return made({"rknn_create_mem_from_mb_blk", ctx}, [&]() -> rknn_tensor_mem * {
        context_of(ctx);
        fail(RKNN_ERR_PARAM_INVALID, "blocks of Rockchip's media library exist only on its boards: use ",
             "rknn_create_mem_from_fd with the block's file descriptor");
    });
}

EZ_RKNN_EXPORT int rknn_destroy_mem(rknn_context ctx, rknn_tensor_mem *mem) {
    return guarded({"rknn_destroy_mem", ctx}, [&] {
        MemoryRegistry &memories = process_state().memories;
        const bool without_context =
            ctx == 0 && mem != nullptr && (memories.find(mem)->alloc_flags() & RKNN_MEM_FLAG_ALLOC_NO_CONTEXT) != 0;
        if (!without_context) context_of(ctx);
        memories.destroy(mem);
        return RKNN_SUCC;
    });
}

EZ_RKNN_EXPORT int rknn_set_io_mem(rknn_context ctx, rknn_tensor_mem *mem, rknn_tensor_attr *attr) {
    return guarded({"rknn_set_io_mem", ctx}, [&] {
        const std::shared_ptr<Context> context = context_of(ctx);
        const std::shared_ptr<Memory> memory = process_state().memories.find(mem);
        if (attr == nullptr) fail(RKNN_ERR_PARAM_INVALID, "the attribute is NULL");
        return context->set_io_mem(memory, *attr);
    });
}

EZ_RKNN_EXPORT int rknn_mem_sync(rknn_context context, rknn_tensor_mem *mem, rknn_mem_sync_mode mode) {
    return guarded({"rknn_mem_sync", context}, [&] {
        const std::shared_ptr<Context> found = context_of(context);
        const std::shared_ptr<Memory> memory = process_state().memories.find(mem);
        const int32_t wanted = number_of(mode);
        if (wanted < RKNN_MEMORY_SYNC_TO_DEVICE || wanted > RKNN_MEMORY_SYNC_BIDIRECTIONAL) {
            fail(RKNN_ERR_PARAM_INVALID, "there is no synchronisation ", wanted);
        }
        if ((wanted & RKNN_MEMORY_SYNC_TO_DEVICE) != 0) memory->flush(found->computes());
        return RKNN_SUCC;
    });
}

EZ_RKNN_EXPORT int rknn_set_weight_mem(rknn_context ctx, rknn_tensor_mem *mem) {
    return guarded({"rknn_set_weight_mem", ctx}, [&] {
        const std::shared_ptr<Context> context = context_of(ctx);
        return context->set_weight_mem(process_state().memories.find(mem));
    });
}

EZ_RKNN_EXPORT int rknn_set_internal_mem(rknn_context ctx, rknn_tensor_mem *mem) {
    return guarded({"rknn_set_internal_mem", ctx}, [&] {
        const std::shared_ptr<Context> context = context_of(ctx);
        return context->set_internal_mem(process_state().memories.find(mem));
    });
}
