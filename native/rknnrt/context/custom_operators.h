/* The custom operators of one context: what the program has registered for them, called where the model needs it.
 *
 * An operator's functions run on the thread that calls into the library, in the program's own process: that is where
 * they and their data are. `init` runs when the operator is registered, `prepare` and `compute` in each inference,
 * `destroy` when the context is. */
#pragma once

#include <cstdint>
#include <vector>

#include "rknn_abi.h"
#include "rknnrt/context/model.h"

namespace ez_rknn::simulator {

/* One operator of the model with its state; what rknn_custom_op_context.internal_ctx points to. */
struct CustomOperator {
    const CustomOperatorPlan *plan = nullptr; /* of the largest shapes */
    bool registered = false;
    bool initialised = false;
    rknn_custom_op functions{};
    rknn_custom_op_context context{};
};

class CustomOperators {
  public:
    /* The operators of `graph`, none of them registered. */
    explicit CustomOperators(const GraphPlan &graph);
    /* Calls each operator's `destroy`, the last one first. */
    ~CustomOperators();
    CustomOperators(const CustomOperators &) = delete;
    CustomOperators &operator=(const CustomOperators &) = delete;

    /* rknn_register_custom_ops: checks all of them, then calls the `init` of each that the graph has, with its tensors
     * in `memory` (NULL when nothing is computed). When one fails, none of them is registered. */
    void add(const rknn_custom_op *operators, uint32_t count, const GraphPlan &graph, uint8_t *memory);
    /* Fails, with their names, when an operator of the model is not registered. */
    void check_registered() const;
    /* Computes one operator, from its inputs to its outputs in `memory`. */
    void compute(size_t index, const GraphPlan &graph, uint8_t *memory);

    /* Whether the calling thread is inside a function of a custom operator. */
    static bool running();

  private:
    const rknn_custom_op *best_for(const CustomOperator &mine, const rknn_custom_op *operators, uint32_t count) const;
    void check(const rknn_custom_op *operators, uint32_t count) const;
    void destroy(CustomOperator &mine) noexcept;

    std::vector<CustomOperator> operators_; /* never moves: contexts point into it */
};

/* rknn_custom_op_get_op_attr. */
void get_operator_attribute(const rknn_custom_op_context &context, const char *name, rknn_custom_op_attr &attribute);

}  // namespace ez_rknn::simulator
