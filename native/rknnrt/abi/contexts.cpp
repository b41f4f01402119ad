/* SPDX-License-Identifier: Apache-2.0 */
/* The vendor's interface: contexts, queries and runs. Each function checks what only it can know and delegates. */
#include <cstdlib>
#include <memory>

#include "common/export.h"
#include "rknn_abi.h"
#include "rknnrt/abi/call.h"
#include "rknnrt/base/bytes.h"
#include "rknnrt/base/log.h"
#include "rknnrt/base/number_of.h"
#include "rknnrt/base/pages.h"
#include "rknnrt/base/status.h"
#include "rknnrt/context/process.h"
#include "rknnrt/context/query.h"

using namespace ez_rknn::rknnrt;

namespace {

std::shared_ptr<Context> context_of(rknn_context handle) {
    return process_state().contexts.find(handle);
}

/* A model that is given as bytes, or as a path when `size` is 0. */
std::shared_ptr<const Model> load(const void *model, uint32_t size, const Settings &settings,
                                  const std::shared_ptr<const Model> &master) {
    Device &device = *process_state().device;
    if (size != 0) return load_model(Bytes(model, size), settings, FileDescriptor(), device, master);
    const FileDescriptor file = FileDescriptor::open_readonly(static_cast<const char *>(model));
    const FileVersion version = file.version();
    const Pages pages = Pages::readonly(file, file.size());
    std::shared_ptr<const Model> loaded = load_model(Bytes(pages.data(), pages.size()), settings, file, device, master);
    // This process and the device have each read the file: they must have read the same.
    if (!(file.version() == version)) {
        fail(RKNN_ERR_MODEL_INVALID, "the model's file was written to while it was loaded; replace files by renaming");
    }
    return loaded;
}

/* The model whose weights the new one uses; NULL if it has its own. */
std::shared_ptr<const Model> master_of(uint32_t flag, const rknn_init_extend *extend) {
    if ((flag & RKNN_FLAG_SHARE_WEIGHT_MEM) == 0) return nullptr;
    if (extend == nullptr) fail(RKNN_ERR_PARAM_INVALID, "rknn_init_extend is not set!");
    return context_of(extend->ctx)->model();
}

rknn_context add_context(const std::shared_ptr<const Model> &model, uint32_t flags, WeightMemory weights,
                         const Context *source = nullptr) {
    ProcessState &state = process_state();
    return state.contexts.add(std::make_shared<Context>(model, *state.device, flags, weights, source));
}

/* Warns of leftovers, which a board would ignore although they are probably a mistake. */
void warn_of_leftovers(const Context &context) {
    const size_t memories = process_state().memories.orphan(*context.account());
    if (memories != 0) {
        log_warning(text_of("rknn_destroy: memory of this context that was never destroyed (rknn_destroy_mem): ",
                            memories, "; it cannot be bound any more"));
    }
}

/* The weights stay for the contexts that use them. librknnrt 1.5.2 keeps them for duplicates too, but another version
 * may not. */
void check_unused(const Context &destroyed) {
    if (destroyed.has_duplicates()) {
        fail(RKNN_ERR_FAIL, "the context is destroyed, but duplicates of it still exist, which use its weights: ",
             "destroy those first");
    }
    if (process_state().contexts.weights_are_orphaned(*destroyed.model())) {
        fail(RKNN_ERR_FAIL, "the context is destroyed, but others still use its weights, which a board would have ",
             "freed: destroy those first");
    }
}

}  // namespace

EZ_RKNN_EXPORT int rknn_init(rknn_context *context, void *model, uint32_t size, uint32_t flag,
                             rknn_init_extend *extend) {
    return guarded({"rknn_init", NewContext()}, [&] {
        ProcessState &state = process_state();
        refresh_log(state.device->name());
        if (context == nullptr) fail(RKNN_ERR_CTX_INVALID, "the context pointer is NULL");
        *context = 0;  // the vendor's library may leave anything there on failure
        if (model == nullptr) fail(RKNN_ERR_MODEL_INVALID, "the model is NULL");
        const std::shared_ptr<const Model> master = master_of(flag, extend);
        *context = add_context(load(model, size, current_settings(*state.device, state.faults), master), flag,
                               master != nullptr ? WeightMemory::shared : WeightMemory::own);
        return RKNN_SUCC;
    });
}

EZ_RKNN_EXPORT int rknn_dup_context(rknn_context *context_in, rknn_context *context_out) {
    return guarded({"rknn_dup_context", context_in == nullptr ? 0 : *context_in}, [&] {
        if (context_in == nullptr || context_out == nullptr) fail(RKNN_ERR_CTX_INVALID, "a context's address is NULL");
        const std::shared_ptr<Context> original = context_of(*context_in);
        // The program gives its memory to one context: duplicates have their own.
        const uint32_t flags =
            original->flags() & ~uint32_t{RKNN_FLAG_MEM_ALLOC_OUTSIDE | RKNN_FLAG_INTERNAL_ALLOC_OUTSIDE};
        *context_out = add_context(original->model(), flags, WeightMemory::shared, original.get());
        return RKNN_SUCC;
    });
}

EZ_RKNN_EXPORT int rknn_destroy(rknn_context context) {
    return guarded({"rknn_destroy", context}, [&] {
        const std::shared_ptr<Context> removed = process_state().contexts.remove(context);
        warn_of_leftovers(*removed);
        check_unused(*removed);
        return RKNN_SUCC;
    });
}

EZ_RKNN_EXPORT int rknn_query(rknn_context context, rknn_query_cmd cmd, void *info, uint32_t size) {
    return guarded({"rknn_query", context}, [&] { return query(*context_of(context), number_of(cmd), info, size); });
}

EZ_RKNN_EXPORT int rknn_inputs_set(rknn_context context, uint32_t n_inputs, rknn_input inputs[]) {
    return guarded({"rknn_inputs_set", context}, [&] { return context_of(context)->inputs_set(n_inputs, inputs); });
}

EZ_RKNN_EXPORT int rknn_set_core_mask(rknn_context context, rknn_core_mask core_mask) {
    const auto mask = static_cast<uint32_t>(number_of(core_mask));
    return guarded({"rknn_set_core_mask", context, mask}, [&] { return context_of(context)->set_core_mask(mask); });
}

EZ_RKNN_EXPORT int rknn_set_batch_core_num(rknn_context context, int) {
    return guarded({"rknn_set_batch_core_num", context}, [&] {
        context_of(context);  // as in the vendor's library, it has no effect
        return RKNN_SUCC;
    });
}

EZ_RKNN_EXPORT int rknn_run(rknn_context context, rknn_run_extend *) {
    return guarded({"rknn_run", context}, [&] { return context_of(context)->run(); });
}

EZ_RKNN_EXPORT int rknn_wait(rknn_context context, rknn_run_extend *) {
    return guarded({"rknn_wait", context}, [&] {
        // A run has ended when rknn_run returns; only a context with a fence of its own has something to wait for.
        if ((context_of(context)->flags() & RKNN_FLAG_FENCE_OUT_OUTSIDE) != 0) return RKNN_SUCC;
        fail(RKNN_ERR_FAIL, "rknn_wait fence fd = -1 is invalid");
    });
}

EZ_RKNN_EXPORT int rknn_outputs_get(rknn_context context, uint32_t n_outputs, rknn_output outputs[],
                                    rknn_output_extend *) {
    return guarded({"rknn_outputs_get", context}, [&] { return context_of(context)->outputs_get(n_outputs, outputs); });
}

EZ_RKNN_EXPORT int rknn_outputs_release(rknn_context context, uint32_t n_outputs, rknn_output outputs[]) {
    return guarded({"rknn_outputs_release", context}, [&] {
        const size_t count = context_of(context)->model()->graphs[0].outputs.size();
        if (n_outputs > count) {
            fail(RKNN_ERR_PARAM_INVALID, n_outputs, " outputs to release, but the model has ", count);
        }
        if (outputs == nullptr && n_outputs != 0) fail(RKNN_ERR_PARAM_INVALID, "the array of outputs is NULL");
        for (uint32_t i = 0; i < n_outputs; ++i) {
            if (outputs[i].is_prealloc != 0) continue;
            std::free(outputs[i].buf);
            outputs[i].buf = nullptr;  // released twice, the vendor's library aborts
        }
        return RKNN_SUCC;
    });
}

EZ_RKNN_EXPORT int rknn_set_input_shape(rknn_context ctx, rknn_tensor_attr *attr) {
    return guarded({"rknn_set_input_shape", ctx}, [&] { return context_of(ctx)->set_input_shapes(1, attr); });
}

EZ_RKNN_EXPORT int rknn_set_input_shapes(rknn_context ctx, uint32_t n_inputs, rknn_tensor_attr attr[]) {
    return guarded({"rknn_set_input_shapes", ctx}, [&] { return context_of(ctx)->set_input_shapes(n_inputs, attr); });
}
