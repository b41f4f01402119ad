/* SPDX-License-Identifier: Apache-2.0 */
/* Inputs and outputs in memory that the program has bound. */
#include <cstring>

#include "rknnrt/base/log.h"
#include "rknnrt/base/number_of.h"
#include "rknnrt/base/status.h"
#include "rknnrt/base/wait.h"
#include "rknnrt/context/context.h"
#include "rknnrt/tensors/bound_input.h"
#include "rknnrt/tensors/bound_output.h"
#include "rknnrt/tensors/convert_input.h"

namespace ez_rknn::rknnrt {

namespace {

/* Compares names as far as they fit into an attribute. */
bool is_named(const TensorPort &port, const rknn_tensor_attr &attr) {
    const std::string name(attr.name, strnlen(attr.name, sizeof attr.name));
    return !name.empty() && port.name.substr(0, sizeof attr.name - 1) == name;
}

int find_port(const std::vector<TensorPort> &ports, const rknn_tensor_attr &attr) {
    for (size_t i = 0; i < ports.size(); ++i) {
        if (is_named(ports[i], attr)) return static_cast<int>(i);
    }
    return -1;
}

void check_size(int code, const char *what, const TensorPort &port, uint32_t size, uint64_t needed) {
    if (size < needed) {
        fail(code, what, " memory size(", size, ") < model ", what, " size(", needed, ") of '", port.name, "'");
    }
}

void check_usable(const TensorPort &port, const Memory &memory) {
    switch (memory.state()) {
        case Memory::State::usable:
            return;
        case Memory::State::freed:
            fail(RKNN_ERR_FAIL, "the memory bound to '", port.name,
                 "' was destroyed (rknn_destroy_mem): the NPU would read or write memory that may be in other use; ",
                 "bind another one");
        case Memory::State::without_context:
            fail(RKNN_ERR_FAIL, "the memory of '", port.name, "' belonged to a context that was destroyed");
    }
}

IoBinding binding_of(const std::shared_ptr<Memory> &memory, const rknn_tensor_attr &attr) {
    const int32_t format = number_of(attr.fmt);
    if (format < RKNN_TENSOR_NCHW || format >= RKNN_TENSOR_FORMAT_MAX) {
        fail(RKNN_ERR_PARAM_INVALID, "there is no layout ", format);
    }
    const int32_t type = number_of(attr.type);
    if (type < RKNN_TENSOR_FLOAT32 || type >= RKNN_TENSOR_TYPE_MAX) {
        fail(RKNN_ERR_PARAM_INVALID, "there is no element type ", type);
    }
    return {memory, attr.type, attr.fmt, attr.pass_through != 0};
}

void check_input(const TensorPort &port, const IoBinding &binding) {
    check_input_binding(port, binding);
    const int code = binding.pass_through ? RKNN_ERR_PARAM_INVALID : RKNN_ERR_FAIL;
    check_size(code, "input", port, binding.memory->size(), bound_input_bytes(port, binding));
}

void check_output(const TensorPort &port, const IoBinding &binding) {
    check_output_binding(port, binding);
    check_size(RKNN_ERR_PARAM_INVALID, "output", port, binding.memory->size(), bound_output_bytes(port, binding));
}

enum class Access { read, fill, write }; /* fill: the ends of an image's rows */

void import(const TensorPort &port, Memory &memory, Access access) {
    if (!memory.has_address()) {
        fail(RKNN_ERR_MALLOC_FAIL, "the memory of '", port.name, "' was made without an address (virt_addr is NULL)");
    }
    memory.import();
    if (access == Access::read || memory.writable()) return;
    fail(RKNN_ERR_PARAM_INVALID, "the memory of '", port.name,
         "' can only be read: its file descriptor is not open for ", "writing",
         access == Access::fill ? ", and the NPU fills the gaps between its rows" : "");
}

/* The NPU's access to the memory of an input. */
Access access_to(const TensorPort &port, const IoBinding &binding) {
    return port.fills_rows && read_in_place(port, binding) ? Access::fill : Access::read;
}

/* The way that the vendor's library prepares for. */
InputWay way_of(const TensorPort &port, const IoBinding &binding) {
    if (binding.pass_through) return InputWay::stored;
    return read_in_place(port, binding) ? InputWay::pixels : InputWay::converted;
}

const char *description_of(InputWay way) {
    switch (way) {
        case InputWay::copied:
            return "given to rknn_inputs_set";
        case InputWay::copied_pixels:
            return "given to rknn_inputs_set as pixels";
        case InputWay::pixels:
            return "bound as pixels";
        case InputWay::stored:
            return "bound with pass_through";
        case InputWay::none:
        case InputWay::converted:
            break;
    }
    return "bound to be converted";
}

}  // namespace

int Context::set_io_mem(const std::shared_ptr<Memory> &memory, const rknn_tensor_attr &attr) {
    const Use use(*this);
    const GraphPlan &plan = plan_to_run();
    const IoBinding binding = binding_of(memory, attr);
    const int input = find_port(plan.inputs, attr);
    if (input >= 0) {
        const TensorPort &port = plan.inputs[static_cast<size_t>(input)];
        check_usable(port, *memory);
        check_input(port, binding);
        import(port, *memory, access_to(port, binding));
        note_way(inputs_[static_cast<size_t>(input)], port, way_of(port, binding));
        inputs_[static_cast<size_t>(input)].binding = binding;
        return RKNN_SUCC;
    }
    const int output = find_port(plan.outputs, attr);
    if (output < 0) {
        fail(RKNN_ERR_FAIL, "the model has no input or output '", std::string(attr.name, strnlen(attr.name, 256)),
             "': rknn_set_io_mem finds it by the attribute's name");
    }
    const TensorPort &port = plan.outputs[static_cast<size_t>(output)];
    check_usable(port, *memory);
    check_output(port, binding);
    import(port, *memory, Access::write);
    outputs_[static_cast<size_t>(output)].binding = binding;
    outputs_[static_cast<size_t>(output)].zeroed_for = nullptr;
    return RKNN_SUCC;
}

/* The vendor's library keeps doing part of what the first way needed, over the new memory or with the old; and once the
 * NPU normalises pixels it normalises everything. */
void Context::note_way(Input &input, const TensorPort &port, InputWay way) {
    if (input.way != InputWay::none && input.way != way) {
        log_warning(text_of("input '", port.name, "' was ", description_of(input.way), " and now is ",
                            description_of(way),
                            ": on one context librknnrt then computes wrongly; use a context for each way"));
    }
    input.way = way;
}

/* Each set of shapes has its own bindings: those of the new one are restored, if there were any. */
void Context::change_bindings(size_t from, size_t to) {
    const auto change = [&](auto &tensors) {
        for (auto &tensor : tensors) {
            tensor.of_other_shapes.resize(model_->graphs.size());
            tensor.of_other_shapes[from] = std::move(tensor.binding);
            tensor.binding = std::move(tensor.of_other_shapes[to]);
        }
    };
    if (from == to) return;
    change(inputs_);
    change(outputs_);
}

Context::MemoryUse::MemoryUse(Context &context) : context_(context) {
    for (const Input &input : context_.inputs_) {
        if (input.binding) input.binding->memory->add_user();
    }
    for (const Output &output : context_.outputs_) {
        if (output.binding) output.binding->memory->add_user();
    }
}

Context::MemoryUse::~MemoryUse() {
    for (const Input &input : context_.inputs_) {
        if (input.binding) input.binding->memory->remove_user();
    }
    for (const Output &output : context_.outputs_) {
        if (output.binding) output.binding->memory->remove_user();
    }
}

/* Memory may have been destroyed since it was bound. */
void Context::check_bindings(const GraphPlan &plan) const {
    for (size_t i = 0; i < inputs_.size(); ++i) {
        if (inputs_[i].binding) check_usable(plan.inputs[i], *inputs_[i].binding->memory);
    }
    for (size_t i = 0; i < outputs_.size(); ++i) {
        if (outputs_[i].binding) check_usable(plan.outputs[i], *outputs_[i].binding->memory);
    }
}

void Context::prepare_inputs(const GraphPlan &plan) {
    for (size_t i = 0; i < inputs_.size(); ++i) {
        Input &input = inputs_[i];
        DeviceInput &to_read = device_run_.inputs[i];
        to_read = {input.buffer.get(), input.reading, false};
        if (!input.binding) continue;
        std::optional<InputReading> reading = read_in_place(plan.inputs[i], *input.binding);
        if (reading) {
            Memory &memory = *input.binding->memory;
            check_flushed(input, plan.inputs[i]);
            if (plan.inputs[i].fills_rows) memory.coherence().written_by_npu();
            to_read.memory = &memory.device_memory();
            to_read.in_place = true;
        } else {
            reading = convert_bound_input(plan.inputs[i], *input.binding, static_cast<uint32_t>(i), input.room,
                                          input.buffer->data(), input.buffer->size());
        }
        if (reading) input.reading = *reading;
        to_read.reading = input.reading;
    }
}

/* The runtime flushes the CPU's caches itself unless told not to: then the NPU does not see unflushed bytes. */
void Context::check_flushed(Input &input, const TensorPort &port) {
    Memory &memory = *input.binding->memory;
    if (!computes() || !memory.cacheable() || !memory.coherence().is_stale(memory.data(), memory.size())) return;
    const std::string text =
        text_of("the memory of input '", port.name, "' was changed after the last rknn_mem_sync(TO_DEVICE)");
    if ((flags_ & RKNN_FLAG_DISABLE_FLUSH_INPUT_MEM_CACHE) != 0) {
        fail(RKNN_ERR_FAIL, text, ": with RKNN_FLAG_DISABLE_FLUSH_INPUT_MEM_CACHE the NPU would read the old bytes",
             "; call rknn_mem_sync before rknn_run");
    }
    log_warning(text + "; rknn_run flushes it");
    memory.flush(true);
}

/* Writes bound outputs; with compute off only once, as the zeros stay. */
int64_t Context::write_bound_outputs(const GraphPlan &plan) {
    int64_t begin = 0;
    for (size_t i = 0; i < outputs_.size(); ++i) {
        Output &output = outputs_[i];
        if (!output.binding || output.zeroed_for == &plan) continue;
        if (begin == 0) begin = now_ns();  // reading the clock costs as much as the rest of a run without bound outputs
        write_bound_output(plan.outputs[i], *output.binding, output.buffer->data(), output.room);
        output.binding->memory->coherence().written_by_npu();
        if (!computes()) output.zeroed_for = &plan;
    }
    return begin == 0 ? 0 : now_ns() - begin;
}

}  // namespace ez_rknn::rknnrt
