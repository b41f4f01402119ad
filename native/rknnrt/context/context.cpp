#include "rknnrt/context/context.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "devices/simulated/perf_detail.h"
#include "rknnrt/base/log.h"
#include "rknnrt/base/status.h"
#include "rknnrt/base/wait.h"
#include "rknnrt/tensors/attributes.h"
#include "rknnrt/tensors/convert_output.h"

namespace ez_rknn::simulator {

Context::Context(std::shared_ptr<const Model> model, Board &board, uint32_t flags, WeightMemory weights,
                 const Context *source)
    : model_(std::move(model)),
      board_(board),
      flags_(flags),
      weights_(weights),
      source_(source != nullptr ? source->origin_ : nullptr),
      custom_operators_(model_->graphs[0]) {
    if (!model_->file.dynamic) graph_ = 0;
    inputs_.resize(model_->graphs[0].inputs.size());
    outputs_.resize(model_->graphs[0].outputs.size());
    if (!needs_internal_memory()) allocated_bytes_ += model_->file.internal_bytes;
    if (weights == WeightMemory::own && !needs_weight_memory()) allocated_bytes_ += model_->file.weight_bytes;
    if ((flags & RKNN_FLAG_ENABLE_SRAM) != 0) sram_ = board_.sram().take(model_->file.internal_bytes);
    if (model_->device != nullptr) attach();
}

void Context::attach() {
    const FileDescriptor memory = FileDescriptor::memory("ez_rknn_tensors", model_->shared_bytes);
    shared_ = Pages::shared(memory, model_->shared_bytes);
    std::vector<GraphPlacement> placements;
    for (const GraphPlan &graph : model_->graphs) placements.push_back(graph.placement);
    channel_ = model_->device->process()->attach(model_->device->id(), placements, memory);
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

/* Buffers are made when they are first needed, for the largest shapes. */
void Context::allocate() {
    const auto make = [&](Pages &pages, const std::vector<TensorPort> GraphPlan::*ports, size_t index) {
        if (pages.data() != nullptr) return false;
        size_t size = 0;
        for (const GraphPlan &graph : model_->graphs) {
            const TensorPort &port = (graph.*ports)[index];
            size = std::max(size, static_cast<size_t>(std::max(port.stored_bytes, port.dense_bytes)) * port.batch);
        }
        pages = Pages(size);
        return true;
    };
    for (size_t i = 0; i < inputs_.size(); ++i) make(inputs_[i].buffer, &GraphPlan::inputs, i);
    for (size_t i = 0; i < outputs_.size(); ++i) {
        const Pages &buffer = outputs_[i].buffer;
        const TensorPort &port = model_->graphs[0].outputs[i];
        const bool made = make(outputs_[i].buffer, &GraphPlan::outputs, i);
        // New pages are zero already, and take no memory until they are written.
        if (made && model_->device == nullptr && port.zero_point != 0) {
            fill_with_zero(port, buffer.size() / port.element_size, buffer.data());
        }
    }
}

/* In the vendor's library it is rknn_inputs_set that allocates them, the first time; without it they are part of the
 * internal memory. */
void Context::count_buffers() {
    if (buffers_are_counted_) return;
    buffers_are_counted_ = true;
    for (const Input &input : inputs_) allocated_bytes_ += input.buffer.size();
    for (const Output &output : outputs_) allocated_bytes_ += output.buffer.size();
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
        log_error("invalid tensor malloc size: the internal memory is to come from rknn_set_internal_mem");
    }
    for (uint32_t i = 0; i < count; ++i) {
        Input &input = inputs_[i];
        const auto reading = store_input(plan.inputs[i], inputs[i], i, input.buffer.data(), input.buffer.size());
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
    if (model_->device != nullptr) custom_operators_.check_registered();
    check_outside_memory();
    allocate();
    const int64_t begin = now_ns();
    prepare_inputs(plan);
    const uint32_t batch = plan.outputs[0].batch;
    for (uint32_t inference = 0; inference < batch; ++inference) run_once(inference);
    write_bound_outputs(plan);
    last_run_us_ = (now_ns() - begin) / 1000;
    has_run_ = true;
    return RKNN_SUCC;
}

void Context::run_once(uint32_t inference) {
    const GraphPlan &plan = plan_to_run();
    if (model_->device != nullptr) {
        for (size_t i = 0; i < inputs_.size(); ++i) {
            const TensorPort &port = plan.inputs[i];
            const size_t offset = static_cast<size_t>(inference) * port.stored_bytes;
            load_input(port, inputs_[i].reading, inputs_[i].to_read + offset,
                       shared_.data() + plan.placement.inputs[i].offset);
        }
    }
    occupy_cores();
    if (model_->device != nullptr) collect_outputs(inference);
}

/* Holds the cores for as long as the inference takes: by the model, or by computing if that takes longer. What custom
 * operators take comes on top: only their author knows what they do. */
void Context::occupy_cores() {
    Board::Lease lease = board_.acquire(core_mask_);
    const int64_t begin = now_ns();
    const int64_t outside = model_->device != nullptr ? compute(lease) : 0;
    const int64_t computed = model_->device != nullptr ? now_ns() - begin - outside : 0;
    const int64_t modelled = modelled_ns(lease);
    const double factor = slowdown(lease);
    const auto end =
        lease.start_ns() + outside + static_cast<int64_t>(static_cast<double>(std::max(modelled, computed)) * factor);
    wait_until_ns(end);
    lease.set_end(modelled > computed ? end : now_ns());
}

double Context::slowdown(const Board::Lease &lease) const {
    double slowest = 1;
    for (uint32_t core = 0; core < max_cores; ++core) {
        if ((lease.mask() >> core & 1U) != 0) slowest = std::max(slowest, model_->settings.slowdown[core]);
    }
    return slowest;
}

/* The device computes up to each custom operator and behind the last one; in between this thread does. */
int64_t Context::compute(const Board::Lease &lease) {
    const size_t operators = plan().custom_operators.size();
    int64_t outside = 0;
    for (size_t i = 0; i < operators; ++i) {
        compute_stage(i, lease);
        const int64_t begin = now_ns();
        custom_operators_.compute(i, plan(), shared_.data());
        outside += now_ns() - begin;
    }
    compute_stage(operators, lease);
    return outside;
}

void Context::compute_stage(size_t stage, const Board::Lease &lease) {
    Request request(Opcode::run);
    request.u32(static_cast<uint32_t>(graph_index())).u32(static_cast<uint32_t>(stage));
    request.u32(lease.first_core()).u32(lease.core_count());
    const std::optional<Reply> reply = channel_.request(request);
    if (!reply) {
        channel_.close();
        model_->device->process()->fail_as_lost();
    }
    if (reply->status != RKNN_SUCC) fail(reply->status, reply->text);
}

int64_t Context::modelled_ns(const Board::Lease &lease) const {
    switch (model_->settings.timing) {
        case Timing::fixed:
            return model_->settings.fixed_ns;
        case Timing::modelled:
            return plan().modelled_ns({lease.core_count(), lease.busy_cores()});
        case Timing::off:
            break;
    }
    return 0;
}

void Context::collect_outputs(uint32_t inference) {
    const GraphPlan &plan = plan_to_run();
    for (size_t i = 0; i < outputs_.size(); ++i) {
        const size_t size = plan.outputs[i].dense_bytes;
        std::memcpy(outputs_[i].buffer.data() + inference * size, shared_.data() + plan.placement.outputs[i].offset,
                    size);
    }
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
        if (output.buf != nullptr) convert_output(plan.outputs[i], want_float, outputs_[i].buffer.data(), output.buf);
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
    custom_operators_.add(operators, count, plan(), shared_.data());
    return RKNN_SUCC;
}

const std::string &Context::perf_detail() {
    const Use use(*this);
    perf_detail_ =
        has_run_ ? perf_detail_text(*model_, graph_index(), (flags_ & RKNN_FLAG_COLLECT_PERF_MASK) != 0) : "";
    return perf_detail_;
}

}  // namespace ez_rknn::simulator
