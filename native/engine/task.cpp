/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/task.h"

#include <algorithm>

namespace ez_rknn::engine {
namespace {

/* Copies an array; empty where a direct array replaces it. */
template <typename Element>
std::vector<Element> copied(const Element *first, uint32_t count, const ezr_io *instead = nullptr) {
    return first == nullptr || instead != nullptr ? std::vector<Element>() : std::vector<Element>(first, first + count);
}

bool is_direct_io_valid(const ezr_io *first, uint32_t count, const ezr_runtime &runtime) {
    if (count > 0 && runtime.set_io_mem == nullptr) return false;
    return std::all_of(first, first + count, [](const ezr_io &io) {
        return io.attr != nullptr && io.memories != nullptr && io.binding != 0 &&
               (io.conversion == nullptr) == (io.array == nullptr);
    });
}

bool are_inputs_valid(const ezr_task &task, const ezr_runtime &runtime) {
    if (task.direct_inputs != nullptr) {
        return is_direct_io_valid(task.direct_inputs, task.input_count, runtime);
    }
    return task.inputs != nullptr || task.input_count == 0;
}

bool are_outputs_valid(const ezr_task &task, const ezr_runtime &runtime) {
    if (task.direct_outputs != nullptr) {
        return is_direct_io_valid(task.direct_outputs, task.output_count, runtime);
    }
    if (task.outputs == nullptr) return task.output_count == 0;
    return std::all_of(task.outputs, task.outputs + task.output_count,
                       [](const rknn_output &output) { return output.is_prealloc != 0; });
}

}  // namespace

Task::Task(const ezr_task &task)
    : shapes(copied(task.shapes, task.input_count)),
      inputs(copied(task.inputs, task.input_count, task.direct_inputs)),
      outputs(copied(task.outputs, task.output_count, task.direct_outputs)),
      direct_inputs(copied(task.direct_inputs, task.input_count)),
      direct_outputs(copied(task.direct_outputs, task.output_count)),
      is_unordered(task.unordered != 0) {
    result.tag = task.tag;
    result.lane = task.lane;
}

bool is_valid(const ezr_task *task, const ezr_runtime &runtime) {
    if (task == nullptr) return false;
    if (task->shapes != nullptr && runtime.set_input_shapes == nullptr) return false;
    return are_inputs_valid(*task, runtime) && are_outputs_valid(*task, runtime);
}

}  // namespace ez_rknn::engine
