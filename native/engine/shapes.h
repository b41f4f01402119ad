/* SPDX-License-Identifier: Apache-2.0 */
/* The input shapes of a context of a dynamic-shape model. */
#pragma once

#include <algorithm>
#include <cstring>
#include <vector>

#include "rknn_abi.h"

namespace ez_rknn::engine {

/* The input shapes last set by rknn_set_input_shapes; empty before that. */
class Shapes {
  public:
    bool are(const std::vector<rknn_tensor_attr> &shapes) const {
        return std::equal(set_.begin(), set_.end(), shapes.begin(), shapes.end(), is_same);
    }
    void forget() { set_.clear(); }
    /* May throw std::bad_alloc, for the first task of a context. */
    void remember(const std::vector<rknn_tensor_attr> &shapes) { set_ = shapes; }

  private:
    /* Compares all that the call looks at. */
    static bool is_same(const rknn_tensor_attr &a, const rknn_tensor_attr &b) {
        return a.fmt == b.fmt && a.n_dims == b.n_dims && a.n_dims <= RKNN_MAX_DIMS &&
               std::equal(a.dims, a.dims + a.n_dims, b.dims) && std::strncmp(a.name, b.name, sizeof a.name) == 0;
    }

    std::vector<rknn_tensor_attr> set_;
};

}  // namespace ez_rknn::engine
