/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/execution.h"

#include <cstdio>
#include <new>
#include <vector>

#include "engine/monotonic.h"

namespace ez_rknn::engine {
namespace {

/* The start of the tensor. `virt_addr` is the start of the mapping: the runtime stores the address and the offset that
 * rknn_create_mem_from_fd was given side by side, and never adds them up. */
void *first_byte(const rknn_tensor_mem &memory) {
    return static_cast<char *>(memory.virt_addr) + memory.offset;
}

/* The steps of one inference; each returns true to go on. An array of length zero is not passed on: the vendor's
 * library follows the pointer before it looks at the count. */
class Execution {
  public:
    Execution(Task &task, const ezr_runtime &runtime) : task_(task), runtime_(runtime), context_(task.context) {}

    bool run() { return prepare() && infer() && deliver(); }

  private:
    /* ---- Before the run ---- */

    bool prepare() {
        const bool done = set_input_shapes() && set_inputs() && bind_outputs();
        task_.result.input_ns = now_ns();
        return done;
    }

    /* The runtime keeps shapes and bindings until it is given others. */
    bool set_input_shapes() {
        if (task_.shapes.empty() || task_.state.shapes.are(task_.shapes)) return true;
        task_.state.shapes.forget();
        task_.state.inputs.forget_all();
        task_.state.outputs.forget_all();
        if (!enter(EZR_CALL_SET_INPUT_SHAPES)) return false;
        std::vector<rknn_tensor_attr> shapes = task_.shapes;  // the runtime may write to its copy
        if (!succeeded(runtime_.set_input_shapes(context_, size(shapes), shapes.data()))) return false;
        task_.state.shapes.remember(task_.shapes);
        return true;
    }

    bool set_inputs() {
        for (size_t i = 0; i < task_.direct_inputs.size(); ++i) {
            if (!put(task_.direct_inputs[i], i)) return false;
        }
        if (task_.inputs.empty()) return true;
        task_.state.inputs.forget_all();
        return enter(EZR_CALL_INPUTS_SET) &&
               succeeded(runtime_.inputs_set(context_, size(task_.inputs), task_.inputs.data()));
    }

    bool put(const ezr_io &input, size_t index) {
        if (!bind(input, index, task_.state.inputs)) return false;
        if (input.conversion != nullptr) {
            if (!proceed()) return false;
            ezr_convert(input.conversion, input.array, first_byte(*memory_of(input)));
        }
        return sync(input, RKNN_MEMORY_SYNC_TO_DEVICE);
    }

    bool bind_outputs() {
        for (size_t i = 0; i < task_.direct_outputs.size(); ++i) {
            if (!bind(task_.direct_outputs[i], i, task_.state.outputs)) return false;
        }
        return true;
    }

    bool bind(const ezr_io &io, size_t index, Bindings &bindings) {
        if (bindings.holds(index, io.binding)) return true;
        bindings.forget(index);
        rknn_tensor_attr attr = *io.attr;  // the runtime may write to it, and other workers read it
        if (!enter(EZR_CALL_SET_IO_MEM) || !succeeded(runtime_.set_io_mem(context_, memory_of(io), &attr))) {
            return false;
        }
        bindings.remember(index, io.binding);
        return true;
    }

    /* ---- The run ---- */

    bool infer() {
        stage_ = EZR_STAGE_NPU;
        if (!enter(EZR_CALL_RUN)) return false;
        const bool done = succeeded(runtime_.run(context_, nullptr));
        task_.result.npu_ns = now_ns();
        return done;
    }

    /* ---- After the run ---- */

    bool deliver() {
        stage_ = EZR_STAGE_OUTPUT;
        for (const ezr_io &output : task_.direct_outputs) {
            if (!take(output)) return false;
        }
        return task_.outputs.empty() || get_outputs();
    }

    bool take(const ezr_io &output) {
        if (!sync(output, RKNN_MEMORY_SYNC_FROM_DEVICE)) return false;
        if (output.conversion == nullptr) return true;
        if (!proceed()) return false;
        ezr_convert(output.conversion, first_byte(*memory_of(output)), output.array);
        return true;
    }

    bool get_outputs() {
        task_.state.outputs.forget_all();
        if (!enter(EZR_CALL_OUTPUTS_GET)) return false;
        const bool done = succeeded(runtime_.outputs_get(context_, size(task_.outputs), task_.outputs.data(), nullptr));
        // Released after a failed call too: only the runtime knows how far it came. The return code changes nothing.
        runtime_.outputs_release(context_, size(task_.outputs), task_.outputs.data());
        return done;
    }

    /* ---- Helpers ---- */

    rknn_tensor_mem *memory_of(const ezr_io &io) const { return io.memories[task_.result.worker]; }

    bool sync(const ezr_io &io, rknn_mem_sync_mode mode) {
        if (io.sync == 0 || runtime_.mem_sync == nullptr) return true;
        return enter(EZR_CALL_MEM_SYNC) && succeeded(runtime_.mem_sync(context_, memory_of(io), mode));
    }

    /* Records the runtime call about to be made. False: do not make it. */
    bool enter(int32_t call) {
        task_.result.call = call;
        return proceed();
    }

    /* Before anything that touches the buffers: false once the watchdog has set the task aside. */
    bool proceed() { return !task_.is_watched || task_.progress.enter({task_.result.call, stage_}); }

    bool succeeded(int code) {
        task_.result.code = code;
        if (code != RKNN_SUCC) keep_message();
        return code == RKNN_SUCC;
    }

    /* At once, on the same thread: the next runtime call, even the release of the outputs, clears the message. */
    void keep_message() {
        if (runtime_.last_error == nullptr) return;
        std::snprintf(task_.result.message, sizeof task_.result.message, "%s", runtime_.last_error());
    }

    template <typename Element>
    static uint32_t size(const std::vector<Element> &elements) {
        return static_cast<uint32_t>(elements.size());
    }

    Task &task_;
    const ezr_runtime &runtime_;
    const rknn_context context_;
    int32_t stage_ = EZR_STAGE_INPUT;
};

}  // namespace

void execute(Task &task, const ezr_runtime &runtime) noexcept {
    ezr_result &result = task.result;
    try {
        if (Execution(task, runtime).run()) result.call = EZR_CALL_NONE;
    } catch (const std::bad_alloc &) {
        result.code = RKNN_ERR_MALLOC_FAIL;
    } catch (...) {
        result.code = RKNN_ERR_FAIL;
    }
    result.finished_ns = now_ns();
}

}  // namespace ez_rknn::engine
