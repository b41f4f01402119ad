/* SPDX-License-Identifier: Apache-2.0 */
#include "rknnrt/context/context.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "rknnrt/base/log.h"
#include "rknnrt/base/status.h"
#include "rknnrt/base/wait.h"
#include "rknnrt/tensors/attributes.h"
#include "rknnrt/tensors/convert_output.h"

namespace ez_rknn::rknnrt {

Context::Context(std::shared_ptr<const Model> model, Device &device, uint32_t flags, WeightMemory weights,
                 const Context *source)
    : model_(std::move(model)),
      device_(device),
      flags_(flags),
      weights_(weights),
      source_(source != nullptr ? source->origin_ : nullptr),
      device_context_(model_->device->make_context(flags)),
      custom_operators_(model_->graphs[0], device.name()) {
    if (!model_->file.dynamic) graph_ = 0;
    inputs_.resize(model_->graphs[0].inputs.size());
    outputs_.resize(model_->graphs[0].outputs.size());
    device_run_.inputs.resize(inputs_.size());
    device_run_.outputs.resize(outputs_.size());
    device_run_.compute_custom_operator = [this](size_t index) {
        custom_operators_.compute(index, plan(), operator_places(index));
    };
    if (!needs_internal_memory()) account_->bytes += model_->file.internal_bytes;
    if (weights == WeightMemory::own && !needs_weight_memory()) account_->bytes += model_->file.weight_bytes;
}

const GraphPlan *Context::current_plan() const {
    const int graph = graph_;
    return graph < 0 ? nullptr : &model_->graphs[static_cast<size_t>(graph)];
}

size_t Context::graph_index() const {
    return static_cast<size_t>(std::max(graph_.load(), 0));
}

const GraphPlan &Context::plan() const {
    return model_->graphs[graph_index()];
}

const GraphPlan &Context::plan_to_run() const {
    const GraphPlan *plan = current_plan();
    if (plan == nullptr) {
        fail(RKNN_ERR_FAIL,
             "this model has dynamic shapes: call rknn_set_input_shapes before setting or binding inputs, or running");
    }
    return *plan;
}

/* Makes the buffers, when they are first needed, for the largest shapes. */
void Context::allocate() {
    const auto make = [&](std::unique_ptr<DeviceMemory> &buffer, const std::vector<TensorPort> GraphPlan::*ports,
                          size_t index) {
        if (buffer != nullptr) return false;
        size_t size = 0;
        for (const GraphPlan &graph : model_->graphs) {
            const TensorPort &port = (graph.*ports)[index];
            size = std::max(size, static_cast<size_t>(std::max(port.stored_bytes, port.dense_bytes)) * port.batch);
        }
        buffer = device_.allocate_buffer(size);
        return true;
    };
    for (size_t i = 0; i < inputs_.size(); ++i) make(inputs_[i].buffer, &GraphPlan::inputs, i);
    for (size_t i = 0; i < outputs_.size(); ++i) {
        const TensorPort &port = model_->graphs[0].outputs[i];
        const bool made = make(outputs_[i].buffer, &GraphPlan::outputs, i);
        // A new buffer is zero already, and takes no memory until it is written.
        if (made && !computes() && port.zero_point != 0) {
            fill_with_zero(port, outputs_[i].buffer->size() / port.element_size, outputs_[i].buffer->data());
        }
    }
}

/* In the vendor's library the first rknn_inputs_set allocates them; without it they are part of the internal memory. */
void Context::count_buffers() {
    if (buffers_are_counted_) return;
    buffers_are_counted_ = true;
    for (const Input &input : inputs_) account_->bytes += input.buffer->size();
    for (const Output &output : outputs_) account_->bytes += output.buffer->size();
}

int Context::inputs_set(uint32_t count, const rknn_input *inputs) {
    const Use use(*this);
    const GraphPlan &plan = plan_to_run();
    if (count > plan.inputs.size()) {
        fail(RKNN_ERR_PARAM_INVALID, count, " inputs given, but the model has ", plan.inputs.size());
    }
    if (inputs == nullptr && count != 0) fail(RKNN_ERR_PARAM_INVALID, "the array of inputs is NULL");
    if (count < plan.inputs.size()) {
        log_warning(
            text_of("rknn_inputs_set, param input num(", count, ") != model input num(", plan.inputs.size(), ")"));
    }
    allocate();
    count_buffers();
    if (needs_internal_memory() && internal_memory_ == nullptr) {
        log_error("invalid tensor malloc size: the internal memory must come from rknn_set_internal_mem");
    }
    for (uint32_t i = 0; i < count; ++i) {
        Input &input = inputs_[i];
        const auto reading = store_input(plan.inputs[i], inputs[i], i, input.buffer->data(), input.buffer->size());
        if (reading) input.reading = *reading;
        const bool is_pixels = reading && reading->raw_uint8;
        note_way(input, plan.inputs[i], is_pixels ? InputWay::copied_pixels : InputWay::copied);
        input.binding.reset();
    }
    return RKNN_SUCC;
}

int Context::run() {
    if (CustomOperators::running()) {
        fail(RKNN_ERR_FAIL,
             "rknn_run was called by a custom operator, while its own model has the cores: it would wait ",
             "for itself");
    }
    const Use use(*this);
    const GraphPlan &plan = plan_to_run();
    const MemoryUse memory_use(*this);
    check_bindings(plan);
    if (computes()) custom_operators_.check_registered();
    check_outside_memory();
    allocate();
    const int64_t begin = now_ns();
    prepare_inputs(plan);
    for (size_t i = 0; i < outputs_.size(); ++i) device_run_.outputs[i] = outputs_[i].buffer.get();
    device_run_.graph = graph_index();
    device_run_.core_mask = core_mask_;
    const int64_t ended = device_context_->run(device_run_);
    last_run_us_ = (ended - begin + write_bound_outputs(plan)) / 1000;
    has_run_ = true;
    return RKNN_SUCC;
}

int Context::outputs_get(uint32_t count, rknn_output *outputs) {
    const Use use(*this);
    const GraphPlan &plan = plan_to_run();
    if (count > plan.outputs.size()) {
        fail(RKNN_ERR_PARAM_INVALID, count, " outputs asked for, but the model has ", plan.outputs.size());
    }
    if (outputs == nullptr && count != 0) fail(RKNN_ERR_PARAM_INVALID, "the array of outputs is NULL");
    if (count < plan.outputs.size()) {
        log_warning(
            text_of("rknn_outputs_get, param output num(", count, ") != model output num(", plan.outputs.size(), ")"));
    }
    allocate();
    for (uint32_t i = 0; i < count; ++i) {
        rknn_output &output = outputs[i];
        const bool want_float = output.want_float != 0;
        const size_t size = output_bytes(plan.outputs[i], want_float);
        if (output.is_prealloc == 0) {
            output.buf = std::malloc(std::max<size_t>(size, 1));
            if (output.buf == nullptr) fail(RKNN_ERR_MALLOC_FAIL, "no memory for output ", i, ": ", size, " bytes");
            output.size = static_cast<uint32_t>(size);
        } else if (output.size < size) {
            log_error(text_of("output[", i, "] buf size error, size = ", output.size, ", expected size = ", size,
                              " if want_float = ", int{output.want_float}));
            continue;
        }
        if (output.buf != nullptr) convert_output(plan.outputs[i], want_float, outputs_[i].buffer->data(), output.buf);
    }
    return RKNN_SUCC;
}

int Context::set_core_mask(uint32_t mask) {
    const Use use(*this);
    const uint32_t cores = model_->soc->cores;
    if (cores == 1) {
        fail(RKNN_ERR_TARGET_PLATFORM_UNMATCH, model_->soc->name, " has one core: there is no core mask to set");
    }
    const uint32_t all = (1U << cores) - 1;
    const uint32_t wanted = mask == RKNN_NPU_CORE_ALL ? all : mask;
    const uint32_t first_cores = wanted & (wanted + 1);  // 0 for 1, 3, 7
    const bool one_core = wanted != 0 && (wanted & (wanted - 1)) == 0;
    if (wanted > all || (wanted != 0 && !one_core && first_cores != 0)) {
        core_mask_ = RKNN_NPU_CORE_AUTO;
        fail(RKNN_ERR_FAIL, "Not support core mask: ", mask, ", fallback to single core auto mode; ", model_->soc->name,
             " has ", cores, " cores");
    }
    core_mask_ = wanted;
    if (wanted != 0 && !one_core && !model_->supports_cores(wanted == 3 ? 2 : 3)) {
        log_warning("the model has not multicore config, fallback single core");
        core_mask_ = RKNN_NPU_CORE_0;
    }
    return RKNN_SUCC;
}

int Context::register_custom_operators(const rknn_custom_op *operators, uint32_t count) {
    const Use use(*this);
    custom_operators_.add(operators, count, plan(), [this](size_t index) { return operator_places(index); });
    return RKNN_SUCC;
}

const std::string &Context::perf_detail() {
    const Use use(*this);
    const bool layers = (flags_ & RKNN_FLAG_COLLECT_PERF_MASK) != 0;
    perf_detail_ = has_run_ ? device_context_->perf_detail(graph_index(), layers) : "";
    return perf_detail_;
}

}  // namespace ez_rknn::rknnrt
