/* SPDX-License-Identifier: Apache-2.0 */
#include "rknnrt/context/custom_operators.h"

#include <algorithm>
#include <cstring>
#include <exception>
#include <set>
#include <string>

#include "rknnrt/base/log.h"
#include "rknnrt/base/number_of.h"
#include "rknnrt/base/status.h"
#include "rknnrt/tensors/attributes.h"

namespace ez_rknn::rknnrt {

namespace {

thread_local uint32_t depth = 0; /* of custom operators' functions that this thread is inside */

class Inside {
  public:
    Inside() { ++depth; }
    ~Inside() { --depth; }
    Inside(const Inside &) = delete;
    Inside &operator=(const Inside &) = delete;
};

std::string type_of(const rknn_custom_op &functions) {
    return std::string(functions.op_type, strnlen(functions.op_type, sizeof functions.op_type));
}

/* The data begins at virt_addr + offset, as on a board, where many tensors share one allocation: an operator that
 * forgets the offset must fail here too. */
std::vector<rknn_custom_op_tensor> tensors(const std::vector<TensorPort> &ports,
                                           const std::vector<OperandPlace> &places) {
    std::vector<rknn_custom_op_tensor> result(ports.size());
    for (size_t i = 0; i < ports.size(); ++i) {
        result[i].attr = logical_attr(ports[i], static_cast<uint32_t>(i));
        rknn_tensor_mem &mem = result[i].mem;
        mem = {};
        mem.virt_addr = places[i].memory;
        mem.fd = -1;
        mem.offset = static_cast<int32_t>(places[i].offset);
        mem.size = static_cast<uint32_t>(places[i].size);
        mem.flags = RKNN_TENSOR_MEMORY_FLAGS_ALLOC_INSIDE;
    }
    return result;
}

/* One call of one function, with its arguments. */
class Invocation {
  public:
    Invocation(const CustomOperatorPlan &plan, const OperatorPlaces &places)
        : inputs_(tensors(plan.inputs, places.inputs)), outputs_(tensors(plan.outputs, places.outputs)) {}

    using Function = decltype(rknn_custom_op::compute);
    void operator()(Function function, const char *what, CustomOperator &mine) {
        if (function == nullptr) return;
        int code = 0;
        {
            const Inside inside;
            code = function(&mine.context, inputs_.data(), static_cast<uint32_t>(inputs_.size()), outputs_.data(),
                            static_cast<uint32_t>(outputs_.size()));
        }
        if (code != 0) {
            fail(RKNN_ERR_FAIL, what, " of the custom operator ", mine.plan->type, " (", mine.plan->name, ") returned ",
                 code);
        }
    }

  private:
    std::vector<rknn_custom_op_tensor> inputs_;
    std::vector<rknn_custom_op_tensor> outputs_;
};

}  // namespace

CustomOperators::CustomOperators(const GraphPlan &graph, const char *device)
    : device_(device), operators_(graph.custom_operators.size()) {
    for (size_t i = 0; i < operators_.size(); ++i) {
        operators_[i].plan = &graph.custom_operators[i];
        operators_[i].context.internal_ctx = &operators_[i];
    }
}

CustomOperators::~CustomOperators() {
    for (auto mine = operators_.rbegin(); mine != operators_.rend(); ++mine) destroy(*mine);
}

void CustomOperators::add(const rknn_custom_op *operators, uint32_t count, const GraphPlan &graph,
                          const FindPlaces &find_places) {
    check(operators, count);
    std::vector<CustomOperator *> added;
    try {
        for (size_t i = 0; i < operators_.size(); ++i) {
            CustomOperator &mine = operators_[i];
            const rknn_custom_op *functions = mine.registered ? nullptr : best_for(mine, operators, count);
            if (functions == nullptr) continue;
            mine.functions = *functions;
            mine.context.target = functions->target;
            added.push_back(&mine);
            Invocation(graph.custom_operators[i], find_places(i))(functions->init, "init", mine);
            mine.initialised = true;
        }
    } catch (...) {
        for (auto mine = added.rbegin(); mine != added.rend(); ++mine) destroy(**mine);
        throw;
    }
    for (CustomOperator *mine : added) mine->registered = true;
}

/* Checks what the vendor's library would only notice while it runs, or not at all. */
void CustomOperators::check(const rknn_custom_op *operators, uint32_t count) const {
    if (operators == nullptr || count == 0) fail(RKNN_ERR_PARAM_INVALID, "no custom operators are given");
    for (uint32_t i = 0; i < count; ++i) {
        const rknn_custom_op &given = operators[i];
        const std::string type = type_of(given);
        if (type.empty()) fail(RKNN_ERR_PARAM_INVALID, "custom operator ", i, " has no op_type");
        const int32_t target = number_of(given.target);
        if (target == RKNN_TARGET_TYPE_GPU) {
            fail(RKNN_ERR_PARAM_INVALID, "the custom operator ", type, " is for the GPU, and the ", device_,
                 " has none: register one for the CPU");
        }
        if (target != RKNN_TARGET_TYPE_CPU) {
            fail(RKNN_ERR_PARAM_INVALID, "the custom operator ", type, " is for target ", target,
                 ", which does not exist: the targets are CPU (1) and GPU (2)");
        }
        if (given.compute == nullptr) {
            fail(RKNN_ERR_PARAM_INVALID, "the custom operator ", type, " has no function compute",
                 given.compute_native == nullptr ? "" : "; compute_native is reserved and never called");
        }
        for (uint32_t other = 0; other < i; ++other) {
            if (type_of(operators[other]) == type && operators[other].version == given.version) {
                fail(RKNN_ERR_PARAM_INVALID, "the custom operator ", type, " version ", given.version,
                     " is given twice");
            }
        }
        bool wanted = false;
        for (const CustomOperator &mine : operators_) {
            if (mine.plan->type != type) continue;
            wanted = true;
            if (mine.registered) {
                fail(RKNN_ERR_PARAM_INVALID, "the custom operator ", type, " is registered already, as version ",
                     mine.functions.version);
            }
        }
        if (!wanted)
            log_warning(text_of("the model has no custom operator ", type, ": its registration has no effect"));
    }
}

/* Returns the newest version of its type. */
const rknn_custom_op *CustomOperators::best_for(const CustomOperator &mine, const rknn_custom_op *operators,
                                                uint32_t count) const {
    const rknn_custom_op *best = nullptr;
    for (uint32_t i = 0; i < count; ++i) {
        if (type_of(operators[i]) != mine.plan->type) continue;
        if (best == nullptr || operators[i].version > best->version) best = &operators[i];
    }
    return best;
}

void CustomOperators::check_registered() const {
    std::set<std::string> missing;
    for (const CustomOperator &mine : operators_) {
        if (!mine.registered) missing.insert(mine.plan->type);
    }
    if (missing.empty()) return;
    std::string names;
    for (const std::string &type : missing) names += (names.empty() ? "" : ", ") + type;
    fail(RKNN_ERR_FAIL, "the model has custom operators that are not registered with this context: ", names,
         "; call rknn_register_custom_ops between rknn_init and rknn_run");
}

void CustomOperators::compute(size_t index, const GraphPlan &graph, const OperatorPlaces &places) {
    CustomOperator &mine = operators_[index];
    Invocation call(graph.custom_operators[index], places);
    call(mine.functions.prepare, "prepare", mine);
    call(mine.functions.compute, "compute", mine);
}

void CustomOperators::destroy(CustomOperator &mine) noexcept {
    if (!mine.initialised) return;
    mine.initialised = false;
    if (mine.functions.destroy == nullptr) return;
    try {
        const Inside inside;
        const int code = mine.functions.destroy(&mine.context);
        if (code != 0) log_warning(text_of("destroy of the custom operator ", mine.plan->type, " returned ", code));
    } catch (const std::exception &error) {
        log_warning(text_of("destroy of the custom operator ", mine.plan->type, ": ", error.what()));
    }
}

bool CustomOperators::running() {
    return depth != 0;
}

void get_operator_attribute(const rknn_custom_op_context &context, const char *name, rknn_custom_op_attr &attribute) {
    attribute = {};
    const std::string wanted(name, strnlen(name, sizeof attribute.name - 1));
    wanted.copy(attribute.name, sizeof attribute.name - 1);
    const CustomOperatorPlan &plan = *static_cast<const CustomOperator *>(context.internal_ctx)->plan;
    // Of several with one name the last is used.
    const auto known = std::find_if(plan.attributes.rbegin(), plan.attributes.rend(),
                                    [&](const OperatorAttribute &candidate) { return candidate.name == wanted; });
    if (known != plan.attributes.rend()) {
        attribute.dtype = known->type;
        attribute.n_elems = known->count;
        // The interface has no const; what is written there is only this context's and its duplicates'.
        attribute.data = const_cast<uint8_t *>(known->data.data());
        return;
    }
    if (wanted != "name") return;
    attribute.dtype = RKNN_TENSOR_UINT8;
    attribute.n_elems = static_cast<uint32_t>(plan.name.size());
    attribute.data = const_cast<char *>(plan.name.c_str());
}

}  // namespace ez_rknn::rknnrt
