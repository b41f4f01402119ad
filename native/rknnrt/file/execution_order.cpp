/* SPDX-License-Identifier: Apache-2.0 */
#include "rknnrt/file/execution_order.h"

#include "rknn_abi.h"
#include "rknnrt/base/status.h"

namespace ez_rknn::rknnrt {

namespace {

constexpr size_t no_maker = SIZE_MAX;

/* The node that makes each tensor. */
std::vector<size_t> makers_of(const std::vector<Node> &nodes, size_t tensors) {
    std::vector<size_t> makers(tensors, no_maker);
    for (size_t i = 0; i < nodes.size(); ++i) {
        for (uint32_t index : nodes[i].outputs) {
            if (makers[index] != no_maker && makers[index] != i) {
                fail(RKNN_ERR_MODEL_INVALID, "damaged model: operator '", nodes[i].name,
                     "' overwrites the result of another one");
            }
            makers[index] = i;
        }
    }
    return makers;
}

}  // namespace

void check_execution_order(const std::vector<Node> &nodes, size_t tensors) {
    const std::vector<size_t> makers = makers_of(nodes, tensors);
    for (size_t i = 0; i < nodes.size(); ++i) {
        for (uint32_t index : nodes[i].inputs) {
            if (makers[index] == no_maker || makers[index] < i) continue;
            fail(RKNN_ERR_MODEL_INVALID, "damaged model: operator '", nodes[i].name,
                 "' reads what is only computed behind it");
        }
    }
}

}  // namespace ez_rknn::rknnrt
