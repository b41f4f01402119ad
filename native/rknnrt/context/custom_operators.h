/* SPDX-License-Identifier: Apache-2.0 */
/* The custom operators of one context: the functions that the program registered, called where the model needs them.
 *
 * An operator's functions run on the thread that calls into the library, in the program's own process, where they and
 * their data are. `init` runs when the operator is registered, `prepare` and `compute` in each inference, `destroy`
 * when the context is. */
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "rknn_abi.h"
#include "rknnrt/context/model.h"
#include "rknnrt/device/device.h"

namespace ez_rknn::rknnrt {

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
    /* The operators of `graph`, none of them registered. `device` is the name of the device; it is not copied. */
    CustomOperators(const GraphPlan &graph, const char *device);
    /* Calls each operator's `destroy`, the last one first. */
    ~CustomOperators();
    CustomOperators(const CustomOperators &) = delete;
    CustomOperators &operator=(const CustomOperators &) = delete;

    using FindPlaces = std::function<OperatorPlaces(size_t)>;

    /* rknn_register_custom_ops: checks all of them, then calls the `init` of each that the graph has, with its tensors
     * at find_places(its number). If one fails, none of them is registered. */
    void add(const rknn_custom_op *operators, uint32_t count, const GraphPlan &graph, const FindPlaces &find_places);
    /* Fails, with their names, if any operators of the model are not registered. */
    void check_registered() const;
    /* Computes one operator, from its inputs to its outputs in `places`. */
    void compute(size_t index, const GraphPlan &graph, const OperatorPlaces &places);

    /* True if the calling thread is inside a function of a custom operator. */
    static bool running();

  private:
    const rknn_custom_op *best_for(const CustomOperator &mine, const rknn_custom_op *operators, uint32_t count) const;
    void check(const rknn_custom_op *operators, uint32_t count) const;
    void destroy(CustomOperator &mine) noexcept;

    const char *const device_;
    std::vector<CustomOperator> operators_; /* never moves: contexts point into it */
};

/* rknn_custom_op_get_op_attr. */
void get_operator_attribute(const rknn_custom_op_context &context, const char *name, rknn_custom_op_attr &attribute);

}  // namespace ez_rknn::rknnrt
