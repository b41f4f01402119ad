/* SPDX-License-Identifier: Apache-2.0 */
/* A plug-in for cstDouble that counts its calls, and that is spoiled in one way by each of the macros:
 *
 *   NO_ENTRY  RETURNS_NULL  NO_TYPE  LONG_TYPE  NO_COMPUTE  TARGET=7  VERSION=2  TYPE="cstOther"
 *   INIT=-3  PREPARE=-4  COMPUTE=-5       what the function returns */
#include <stddef.h>
#include <string.h>

#include "rknn_abi.h"

#ifndef INIT
#define INIT 0
#endif
#ifndef PREPARE
#define PREPARE 0
#endif
#ifndef COMPUTE
#define COMPUTE 0
#endif
#ifndef TARGET
#define TARGET RKNN_TARGET_TYPE_CPU
#endif
#ifndef VERSION
#define VERSION 1
#endif
#ifndef TYPE
#define TYPE "cstDouble"
#endif

/* init, prepare, compute, destroy; __atomic because each context has a thread of its own. */
int plugin_calls[4];

static void count(int function) {
    __atomic_add_fetch(&plugin_calls[function], 1, __ATOMIC_SEQ_CST);
}

static int init(rknn_custom_op_context *context, rknn_custom_op_tensor *inputs, uint32_t n_inputs,
                rknn_custom_op_tensor *outputs, uint32_t n_outputs) {
    (void)context, (void)inputs, (void)n_inputs, (void)outputs, (void)n_outputs;
    count(0);
    return INIT;
}

static int prepare(rknn_custom_op_context *context, rknn_custom_op_tensor *inputs, uint32_t n_inputs,
                   rknn_custom_op_tensor *outputs, uint32_t n_outputs) {
    (void)context, (void)inputs, (void)n_inputs, (void)outputs, (void)n_outputs;
    count(1);
    return PREPARE;
}

static int compute(rknn_custom_op_context *context, rknn_custom_op_tensor *inputs, uint32_t n_inputs,
                   rknn_custom_op_tensor *outputs, uint32_t n_outputs) {
    (void)context, (void)n_inputs, (void)n_outputs;
    const float *x = (const float *)((const char *)inputs[0].mem.virt_addr + inputs[0].mem.offset);
    float *y = (float *)((char *)outputs[0].mem.virt_addr + outputs[0].mem.offset);
    for (uint32_t i = 0; i < outputs[0].attr.n_elems; ++i) y[i] = 2 * x[i];
    count(2);
    return COMPUTE;
}

static int destroy(rknn_custom_op_context *context) {
    (void)context;
    count(3);
    return 0;
}

#ifdef NO_ENTRY
#define get_rknn_custom_op another_function
#endif
rknn_custom_op *get_rknn_custom_op(void) {
    static rknn_custom_op op;
    op.version = VERSION;
    op.target = (rknn_target_type)TARGET;
    memcpy(op.op_type, TYPE, sizeof TYPE);
    op.init = init;
    op.prepare = prepare;
    op.compute = compute;
    op.destroy = destroy;
#ifdef NO_TYPE
    op.op_type[0] = 0;
#endif
#ifdef LONG_TYPE
    memset(op.op_type, 'x', sizeof op.op_type);
#endif
#ifdef NO_COMPUTE
    op.compute = NULL;
#endif
#ifdef RETURNS_NULL
    return NULL;
#endif
    return &op;
}
