/* SPDX-License-Identifier: Apache-2.0 */
/* One rknn_context: the inputs and outputs of a model, and the run in between.
 *
 * A context belongs to one thread at a time. The vendor's library does not check that, and corrupts data silently; here
 * a second thread is refused with RKNN_ERR_FAIL. */
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "rknnrt/base/status.h"
#include "rknnrt/context/custom_operators.h"
#include "rknnrt/context/model.h"
#include "rknnrt/device/device.h"
#include "rknnrt/memory/memory_registry.h"
#include "rknnrt/tensors/convert_input.h"
#include "rknnrt/tensors/io_binding.h"

namespace ez_rknn::rknnrt {

/* The owner of a context's weights in memory: the context, or another one. */
enum class WeightMemory { own, shared };

/* The way that an input reaches the NPU. */
enum class InputWay { none, copied, copied_pixels, pixels, stored, converted };

class Context {
  public:
    /* `source`: the context that this is a duplicate of, or NULL. */
    Context(std::shared_ptr<const Model> model, Device &device, uint32_t flags, WeightMemory weights,
            const Context *source = nullptr);

    const std::shared_ptr<const Model> &model() const { return model_; }
    uint32_t flags() const { return flags_; }
    /* The cores that it is tied to; 0: any free one. */
    uint32_t core_mask() const { return core_mask_; }

    /* The functions of the interface, with their names and their return codes. */
    int inputs_set(uint32_t count, const rknn_input *inputs);
    int run();
    int outputs_get(uint32_t count, rknn_output *outputs);
    int set_core_mask(uint32_t mask);
    int set_input_shapes(uint32_t count, const rknn_tensor_attr *attrs);
    int set_weight_mem(const std::shared_ptr<Memory> &memory);
    int set_internal_mem(const std::shared_ptr<Memory> &memory);
    int set_io_mem(const std::shared_ptr<Memory> &memory, const rknn_tensor_attr &attr);

    /* True if the device reads inputs and writes outputs; if not, all outputs are zero. */
    bool computes() const { return model_->device->computes(); }
    Device &device() const { return device_; }
    /* True if duplicates of this context (rknn_dup_context) still exist. */
    bool has_duplicates() const { return origin_.use_count() > 1; }

    /* The account for memory that the program makes through this context. */
    const std::shared_ptr<MemoryAccount> &account() const { return account_; }
    int register_custom_operators(const rknn_custom_op *operators, uint32_t count);

    /* The graph whose shapes are in use; NULL for a dynamic model before its shapes were set. */
    const GraphPlan *current_plan() const;
    /* The graph that unqualified queries describe: the current one, else the largest. */
    const GraphPlan &plan() const;
    size_t graph_index() const;

    int64_t last_run_us() const { return last_run_us_; }
    uint64_t allocated_bytes() const { return account_->bytes; }
    /* The text of RKNN_QUERY_PERF_DETAIL; "" before the first run. Valid until the next call. */
    const std::string &perf_detail();

    /* The NPU's own buffers, for tests; NULL before they are needed. */
    const DeviceMemory *input_buffer(size_t index) const { return inputs_[index].buffer.get(); }
    const DeviceMemory *output_buffer(size_t index) const { return outputs_[index].buffer.get(); }

  private:
    class Use;
    class MemoryUse;

    struct Input {
        std::unique_ptr<DeviceMemory> buffer; /* all inferences of a run, as the NPU stores them */
        InputReading reading;
        std::optional<IoBinding> binding;
        std::vector<uint8_t> room;                             /* room for conversions */
        InputWay way = InputWay::none;                         /* the latest one */
        std::vector<std::optional<IoBinding>> of_other_shapes; /* by graph */
    };
    struct Output {
        std::unique_ptr<DeviceMemory> buffer; /* all inferences of a run, dense, in the model's type */
        std::optional<IoBinding> binding;
        const GraphPlan *zeroed_for = nullptr; /* without compute: bound memory holds zeros, for these shapes */
        std::vector<uint8_t> room;             /* room for conversions */
        std::vector<std::optional<IoBinding>> of_other_shapes; /* by graph */
    };

    const GraphPlan &plan_to_run() const;
    void allocate();
    void count_buffers();
    static void note_way(Input &input, const TensorPort &port, InputWay way);
    void change_bindings(size_t from, size_t to);
    void check_bindings(const GraphPlan &plan) const;
    /* True if the program must give it, as its flags say. */
    bool needs_weight_memory() const;
    bool needs_internal_memory() const;
    void check_outside_memory() const;
    void check_flushed(Input &input, const TensorPort &port);
    void prepare_inputs(const GraphPlan &plan);
    /* Returns its duration in nanoseconds. */
    int64_t write_bound_outputs(const GraphPlan &plan);
    OperatorPlaces operator_places(size_t index) const {
        return device_context_->operator_places(graph_index(), index);
    }

    /* The origin of the context that this is a duplicate of, and its own, which its duplicates share. */
    using Origin = std::shared_ptr<const char>;

    const std::shared_ptr<const Model> model_;
    Device &device_;
    const uint32_t flags_;
    const WeightMemory weights_;
    const Origin source_;
    const Origin origin_ = std::make_shared<const char>('\0');
    const std::shared_ptr<MemoryAccount> account_ = std::make_shared<MemoryAccount>();
    std::atomic<bool> in_use_{false};

    /* Only touched by the thread that uses the context. */
    std::vector<Input> inputs_;
    std::vector<Output> outputs_;
    bool buffers_are_counted_ = false;
    std::shared_ptr<Memory> weight_memory_;   /* NULL: not given by the program */
    std::shared_ptr<Memory> internal_memory_; /* the same */
    const std::unique_ptr<DeviceContext> device_context_;
    DeviceRun device_run_;             /* kept, so that a run need not allocate it */
    CustomOperators custom_operators_; /* their functions may use the device's memory until destroyed */
    std::string perf_detail_;

    /* Also read by calls of other threads. */
    std::atomic<uint32_t> core_mask_{0};
    std::atomic<int> graph_{-1}; /* -1: not chosen yet */
    std::atomic<int64_t> last_run_us_{0};
    std::atomic<bool> has_run_{false};
};

/* Bound memory is in use while this lives: it cannot be destroyed. */
class Context::MemoryUse {
  public:
    explicit MemoryUse(Context &context);
    ~MemoryUse();
    MemoryUse(const MemoryUse &) = delete;
    MemoryUse &operator=(const MemoryUse &) = delete;

  private:
    Context &context_;
};

/* The context is in use by this thread while this lives. */
class Context::Use {
  public:
    explicit Use(Context &context) : context_(context) {
        if (context_.in_use_.exchange(true, std::memory_order_acquire)) {
            fail(RKNN_ERR_FAIL, "another thread is using this context: a context belongs to one thread at a time; ",
                 "give each thread its own (rknn_dup_context)");
        }
    }
    ~Use() { context_.in_use_.store(false, std::memory_order_release); }
    Use(const Use &) = delete;
    Use &operator=(const Use &) = delete;

  private:
    Context &context_;
};

}  // namespace ez_rknn::rknnrt
