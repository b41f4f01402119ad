/* SPDX-License-Identifier: Apache-2.0 */
/* A plug-in: the custom operator cstDouble, which computes y = 2 x. */
#include <string.h>

#include "rknn_abi.h" /* or the vendor's rknn_custom_op.h */

static const float *input(const rknn_custom_op_tensor *tensor) {
    return (const float *)((const char *)tensor->mem.virt_addr + tensor->mem.offset);
}

static float *output(const rknn_custom_op_tensor *tensor) {
    return (float *)((char *)tensor->mem.virt_addr + tensor->mem.offset);
}

/* Runs in every inference. Tensors are float32 in the order of the ONNX model (NCHW). Returns 0 on success. */
static int compute(rknn_custom_op_context *context, rknn_custom_op_tensor *inputs, uint32_t n_inputs,
                   rknn_custom_op_tensor *outputs, uint32_t n_outputs) {
    (void)context;
    if (n_inputs != 1 || n_outputs != 1) return -1;
    const float *x = input(&inputs[0]);
    float *y = output(&outputs[0]);
    for (uint32_t i = 0; i < outputs[0].attr.n_elems; ++i) y[i] = 2 * x[i];
    return 0;
}

/* The one function that a plug-in exports. */
rknn_custom_op *get_rknn_custom_op(void) {
    static rknn_custom_op op;
    op.version = 1;
    op.target = RKNN_TARGET_TYPE_CPU;
    strcpy(op.op_type, "cstDouble");
    op.compute = compute;
    return &op;
}
