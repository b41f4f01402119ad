/* SPDX-License-Identifier: Apache-2.0 */
/* Memory for weights and intermediate tensors that the program gives instead of the runtime allocating it.
 *
 * An NPU may write to it, so it must exist and be large enough even if the device does not need it. */
#include "rknnrt/base/status.h"
#include "rknnrt/context/context.h"

namespace ez_rknn::rknnrt {

namespace {

void check_outside(const char *what, const Memory *memory, uint64_t needed) {
    if (memory == nullptr) {
        fail(RKNN_ERR_FAIL, "the ", what, " memory must come from the program (flags of rknn_init), which has not ",
             "given any: call rknn_set_", what, "_mem before rknn_run");
    }
    if (memory->state() != Memory::State::usable) {
        fail(RKNN_ERR_FAIL, "the ", what, " memory was destroyed while the context needs it");
    }
    if (memory->size() < needed) {
        fail(RKNN_ERR_PARAM_INVALID, "the ", what, " memory has ", memory->size(), " bytes, but ", needed,
             " are needed (RKNN_QUERY_MEM_SIZE)");
    }
}

}  // namespace

bool Context::needs_weight_memory() const {
    return weights_ == WeightMemory::own && (flags_ & RKNN_FLAG_MEM_ALLOC_OUTSIDE) != 0;
}

bool Context::needs_internal_memory() const {
    return (flags_ & (RKNN_FLAG_MEM_ALLOC_OUTSIDE | RKNN_FLAG_INTERNAL_ALLOC_OUTSIDE)) != 0;
}

int Context::set_weight_mem(const std::shared_ptr<Memory> &memory) {
    const Use use(*this);
    if ((flags_ & RKNN_FLAG_MEM_ALLOC_OUTSIDE) == 0) {
        fail(RKNN_ERR_PARAM_INVALID,
             "Must set RKNN_FLAG_MEM_ALLOC_OUTSIDE flag in rknn_init(), when using rknn_set_weight_mem()!");
    }
    check_outside("weight", memory.get(), model_->file.weight_bytes);
    weight_memory_ = memory;
    return RKNN_SUCC;
}

/* The vendor's library accepts it even without the flags. */
int Context::set_internal_mem(const std::shared_ptr<Memory> &memory) {
    const Use use(*this);
    check_outside("internal", memory.get(), model_->file.internal_bytes);
    internal_memory_ = memory;
    return RKNN_SUCC;
}

void Context::check_outside_memory() const {
    if (needs_weight_memory()) check_outside("weight", weight_memory_.get(), model_->file.weight_bytes);
    if (needs_internal_memory()) check_outside("internal", internal_memory_.get(), model_->file.internal_bytes);
}

}  // namespace ez_rknn::rknnrt
