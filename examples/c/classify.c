/* SPDX-License-Identifier: Apache-2.0 */
/* Classifies one image on the NPU, or on the simulated one when linked to that librknnrt.so.
 *
 *     cc classify.c -I ../../native/include -o classify PATH/TO/librknnrt.so
 *     ./classify MODEL.rknn < IMAGE          (the pixels: uint8, height x width x channels)
 *
 * Prints the number of the most likely class. `ezrknn simulator --library` prints the simulated library's path. */
#include <stdio.h>
#include <stdlib.h>

#include "rknn_abi.h"

/* Ends the program if a call has failed. */
static void check(int code, const char *call) {
    if (code == RKNN_SUCC) return;
    fprintf(stderr, "%s failed with code %d; RKNN_LOG_LEVEL=1 makes the library say why\n", call, code);
    exit(1);
}

int main(int argc, char **argv) {
    static unsigned char image[1 << 24];
    rknn_context npu;
    rknn_input input = {.buf = image, .type = RKNN_TENSOR_UINT8, .fmt = RKNN_TENSOR_NHWC};
    rknn_output output = {.want_float = 1};
    if (argc != 2) {
        fprintf(stderr, "usage: %s MODEL.rknn < IMAGE\n", argv[0]);
        return 2;
    }
    input.size = (uint32_t)fread(image, 1, sizeof image, stdin);
    check(rknn_init(&npu, argv[1], 0, 0, NULL), "rknn_init");
    check(rknn_inputs_set(npu, 1, &input), "rknn_inputs_set");
    check(rknn_run(npu, NULL), "rknn_run");
    check(rknn_outputs_get(npu, 1, &output, NULL), "rknn_outputs_get");
    const float *scores = output.buf;
    uint32_t best = 0;
    for (uint32_t i = 1; i < output.size / sizeof *scores; ++i) best = scores[i] > scores[best] ? i : best;
    printf("%u\n", best);
    rknn_outputs_release(npu, 1, &output);
    return rknn_destroy(npu);
}
