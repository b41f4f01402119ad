/* The vendor's interface: memory shared with the NPU, and custom operators. Programs look these functions up when they
 * load the library, so they are here; the simulated NPU does not offer them yet and says so. */
#include "export.h"
#include "process.h"
#include "rknn_abi.h"
#include "status.h"

using namespace ez_rknn::simulator;

namespace {

int refuse(const char *call, rknn_context context) {
    return guarded(call, [&]() -> int {
        process_state().contexts.find(context);
        fail(RKNN_ERR_FAIL, "the simulated NPU does not offer ", call,
             " yet; use rknn_inputs_set and rknn_outputs_get");
    });
}

rknn_tensor_mem *refuse_memory(const char *call, rknn_context context) {
    refuse(call, context);
    return nullptr;
}

}  // namespace

EZ_RKNN_EXPORT rknn_tensor_mem *rknn_create_mem_from_phys(rknn_context ctx, uint64_t, void *, uint32_t) {
    return refuse_memory("rknn_create_mem_from_phys", ctx);
}
EZ_RKNN_EXPORT rknn_tensor_mem *rknn_create_mem_from_fd(rknn_context ctx, int32_t, void *, uint32_t, int32_t) {
    return refuse_memory("rknn_create_mem_from_fd", ctx);
}
EZ_RKNN_EXPORT rknn_tensor_mem *rknn_create_mem_from_mb_blk(rknn_context ctx, void *, int32_t) {
    return refuse_memory("rknn_create_mem_from_mb_blk", ctx);
}
EZ_RKNN_EXPORT rknn_tensor_mem *rknn_create_mem(rknn_context ctx, uint32_t) {
    return refuse_memory("rknn_create_mem", ctx);
}
EZ_RKNN_EXPORT rknn_tensor_mem *rknn_create_mem2(rknn_context ctx, uint64_t, uint64_t) {
    return refuse_memory("rknn_create_mem2", ctx);
}
EZ_RKNN_EXPORT int rknn_destroy_mem(rknn_context ctx, rknn_tensor_mem *) {
    return refuse("rknn_destroy_mem", ctx);
}
EZ_RKNN_EXPORT int rknn_set_weight_mem(rknn_context ctx, rknn_tensor_mem *) {
    return refuse("rknn_set_weight_mem", ctx);
}
EZ_RKNN_EXPORT int rknn_set_internal_mem(rknn_context ctx, rknn_tensor_mem *) {
    return refuse("rknn_set_internal_mem", ctx);
}
EZ_RKNN_EXPORT int rknn_set_io_mem(rknn_context ctx, rknn_tensor_mem *, rknn_tensor_attr *) {
    return refuse("rknn_set_io_mem", ctx);
}
EZ_RKNN_EXPORT int rknn_mem_sync(rknn_context context, rknn_tensor_mem *, rknn_mem_sync_mode) {
    return refuse("rknn_mem_sync", context);
}

/* Not in the header, whose structures for it are not settled; the arguments are the context, the operators and their
 * number. */
EZ_RKNN_EXPORT int rknn_register_custom_ops(rknn_context ctx, void *, uint32_t) {
    return refuse("rknn_register_custom_ops", ctx);
}
