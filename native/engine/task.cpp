#include "task.h"

#include <algorithm>
#include <cstdio>
#include <new>

#include "monotonic.h"

namespace ezr {
namespace {

template <typename Element>
std::vector<Element> copied(const Element *first, uint32_t count) {
    return first == nullptr ? std::vector<Element>() : std::vector<Element>(first, first + count);
}

/* The calls of one inference, in the vendor's order. An array of length zero is not passed on: the vendor's library
 * follows the pointer before it looks at the count. */
class Execution {
  public:
    Execution(Task &task, const ezr_runtime &runtime) : task_(task), runtime_(runtime), context_(task.context) {}

    /* Each step returns whether to go on. */
    bool run() { return set_input_shapes() && set_inputs() && infer() && get_outputs(); }

  private:
    bool set_input_shapes() {
        if (task_.shapes.empty()) return true;
        return enter(EZR_CALL_SET_INPUT_SHAPES) &&
               succeeded(runtime_.set_input_shapes(context_, size(task_.shapes), task_.shapes.data()));
    }

    bool set_inputs() {
        if (!enter(EZR_CALL_INPUTS_SET)) return false;
        const bool done =
            task_.inputs.empty() || succeeded(runtime_.inputs_set(context_, size(task_.inputs), task_.inputs.data()));
        task_.result.input_ns = now_ns();
        return done;
    }

    bool infer() {
        if (!enter(EZR_CALL_RUN)) return false;
        const bool done = succeeded(runtime_.run(context_, nullptr));
        task_.result.npu_ns = now_ns();
        return done;
    }

    bool get_outputs() {
        if (task_.outputs.empty()) return true;
        if (!enter(EZR_CALL_OUTPUTS_GET)) return false;
        const bool done = succeeded(runtime_.outputs_get(context_, size(task_.outputs), task_.outputs.data(), nullptr));
        // Released after a failed call too: only the runtime knows how far it came. Its answer changes nothing.
        runtime_.outputs_release(context_, size(task_.outputs), task_.outputs.data());
        return done;
    }

    bool enter(int32_t call) {
        task_.result.call = call;
        return !task_.is_watched || task_.progress.enter(call);
    }

    bool succeeded(int code) {
        task_.result.code = code;
        if (code != RKNN_SUCC) keep_message();
        return code == RKNN_SUCC;
    }

    /* At once, on the same thread: the runtime's next call, the release of the outputs included, forgets the words. */
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
};

}  // namespace

Task::Task(const ezr_task &task)
    : shapes(copied(task.shapes, task.input_count)),
      inputs(copied(task.inputs, task.input_count)),
      outputs(copied(task.outputs, task.output_count)),
      is_unordered(task.unordered != 0) {
    result.tag = task.tag;
}

bool is_valid(const ezr_task *task, const ezr_runtime &runtime) {
    if (task == nullptr) return false;
    if (task->inputs == nullptr && task->input_count > 0) return false;
    if (task->outputs == nullptr && task->output_count > 0) return false;
    if (task->shapes != nullptr && runtime.set_input_shapes == nullptr) return false;
    return std::all_of(task->outputs, task->outputs + task->output_count,
                       [](const rknn_output &output) { return output.is_prealloc != 0; });
}

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

}  // namespace ezr
