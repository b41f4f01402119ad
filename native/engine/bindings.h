/* SPDX-License-Identifier: Apache-2.0 */
/* The memory that a context's inputs and outputs are bound to. */
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "engine/shapes.h"

namespace ez_rknn::engine {

/* The bindings (ezr_io.binding) of the inputs, or of the outputs, of one context, by index. */
class Bindings {
  public:
    /* True if that tensor is already bound like this. */
    bool holds(size_t index, uint64_t binding) const { return index < bound_.size() && bound_[index] == binding; }
    void forget(size_t index) {
        if (index < bound_.size()) bound_[index] = none;
    }
    void forget_all() { std::fill(bound_.begin(), bound_.end(), none); }
    /* May throw std::bad_alloc, for the first task of a context. */
    void remember(size_t index, uint64_t binding) {
        if (index >= bound_.size()) bound_.resize(index + 1, none);
        bound_[index] = binding;
    }

  private:
    static constexpr uint64_t none = 0;
    std::vector<uint64_t> bound_;
};

/* The state of a context besides its handle. It moves into the task that runs on the context, and back to the worker
 * afterwards, so a worker whose context was set aside keeps none of it. */
struct ContextState {
    Shapes shapes;
    Bindings inputs;
    Bindings outputs;
};

}  // namespace ez_rknn::engine
