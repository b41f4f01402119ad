/* SPDX-License-Identifier: Apache-2.0 */
/* A complete plug-in: the custom operator cstBlend has three inputs, two outputs and attributes, which it reads once
 * and keeps.
 *
 *   mean = alpha * left + (1 - alpha) * right + the sum of offsets
 *   rest = (signs[0] * left + signs[1] * right) * gain of the channel / repeat
 */
#include <stdlib.h>
#include <string.h>

#include "rknn_abi.h" /* or the vendor's rknn_custom_op.h */

typedef struct {
    float alpha;
    float offset;
    float signs[2];
    float repeat;
} settings;

static float *data_of(const rknn_custom_op_tensor *tensor) {
    return (float *)((char *)tensor->mem.virt_addr + tensor->mem.offset);
}

/* Returns the attribute's data; NULL unless it has that type and `count` elements, or any number if `count` is 0. */
static const void *attribute(rknn_custom_op_context *context, const char *name, rknn_tensor_type type, uint32_t count,
                             rknn_custom_op_attr *into) {
    rknn_custom_op_get_op_attr(context, name, into);
    if (into->n_elems == 0 || into->dtype != type) return NULL;
    return count == 0 || into->n_elems == count ? into->data : NULL;
}

/* Runs once for each operator of the model, when it is registered with a context. */
static int init(rknn_custom_op_context *context, rknn_custom_op_tensor *inputs, uint32_t n_inputs,
                rknn_custom_op_tensor *outputs, uint32_t n_outputs) {
    rknn_custom_op_attr found, offsets;
    (void)inputs;
    (void)outputs;
    if (n_inputs != 3 || n_outputs != 2) return -1;
    const float *alpha = attribute(context, "alpha", RKNN_TENSOR_FLOAT32, 1, &found);
    const int64_t *signs = attribute(context, "signs", RKNN_TENSOR_INT64, 2, &found);
    const int64_t *repeat = attribute(context, "repeat", RKNN_TENSOR_INT64, 1, &found);
    const char *mode = attribute(context, "mode", RKNN_TENSOR_UINT8, 0, &found);
    const float *offset = attribute(context, "offsets", RKNN_TENSOR_FLOAT32, 0, &offsets);
    if (!alpha || !signs || !repeat || !mode || !offset || strcmp(mode, "difference") != 0) return -2;
    settings *kept = calloc(1, sizeof *kept);
    if (kept == NULL) return -3;
    kept->alpha = *alpha;
    kept->signs[0] = (float)signs[0];
    kept->signs[1] = (float)signs[1];
    kept->repeat = (float)*repeat;
    for (uint32_t i = 0; i < offsets.n_elems; ++i) kept->offset += offset[i];
    context->priv_data = kept;
    return 0;
}

static int compute(rknn_custom_op_context *context, rknn_custom_op_tensor *inputs, uint32_t n_inputs,
                   rknn_custom_op_tensor *outputs, uint32_t n_outputs) {
    const settings *kept = context->priv_data;
    const rknn_tensor_attr *shape = &inputs[0].attr;
    (void)n_inputs;
    (void)n_outputs;
    if (shape->n_dims != 4 || inputs[2].attr.n_elems != shape->dims[1]) return -1;
    const uint32_t channels = shape->dims[1], pixels = shape->dims[2] * shape->dims[3];
    const float *left = data_of(&inputs[0]), *right = data_of(&inputs[1]), *gains = data_of(&inputs[2]);
    float *mean = data_of(&outputs[0]), *rest = data_of(&outputs[1]);
    for (uint32_t i = 0; i < shape->n_elems; ++i) {
        mean[i] = kept->alpha * left[i] + (1 - kept->alpha) * right[i] + kept->offset;
        rest[i] = (kept->signs[0] * left[i] + kept->signs[1] * right[i]) * gains[i / pixels % channels] / kept->repeat;
    }
    return 0;
}

/* Runs once, when the context is destroyed. */
static int destroy(rknn_custom_op_context *context) {
    free(context->priv_data);
    return 0;
}

rknn_custom_op *get_rknn_custom_op(void) {
    static rknn_custom_op op;
    op.version = 1;
    op.target = RKNN_TARGET_TYPE_CPU;
    strcpy(op.op_type, "cstBlend");
    op.init = init;
    op.compute = compute;
    op.destroy = destroy;
    return &op;
}
