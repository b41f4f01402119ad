/* SPDX-License-Identifier: Apache-2.0 */
/* The vendor's interface: custom operators. */
#include "common/export.h"
#include "rknn_abi.h"
#include "rknnrt/abi/call.h"
#include "rknnrt/base/status.h"
#include "rknnrt/context/process.h"

using namespace ez_rknn::rknnrt;

EZ_RKNN_EXPORT int rknn_register_custom_ops(rknn_context ctx, rknn_custom_op *op, uint32_t custom_op_num) {
    return guarded({"rknn_register_custom_ops", ctx},
                   [&] { return process_state().contexts.find(ctx)->register_custom_operators(op, custom_op_num); });
}

EZ_RKNN_EXPORT void rknn_custom_op_get_op_attr(rknn_custom_op_context *op_ctx, const char *attr_name,
                                               rknn_custom_op_attr *op_attr) {
    guarded({"rknn_custom_op_get_op_attr"}, [&] {
        if (op_attr == nullptr) fail(RKNN_ERR_PARAM_INVALID, "the attribute pointer is NULL");
        *op_attr = {};
        if (op_ctx == nullptr || op_ctx->internal_ctx == nullptr || attr_name == nullptr) {
            fail(RKNN_ERR_PARAM_INVALID, "the operator's context or the attribute's name is NULL");
        }
        get_operator_attribute(*op_ctx, attr_name, *op_attr);
        return RKNN_SUCC;
    });
}
