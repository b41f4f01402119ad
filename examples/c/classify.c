/* Classifies one image on the NPU, or on the simulated one: the same program, linked to another librknnrt.so.
 *
 *     cc classify.c -I ../../native/include -o classify PATH/TO/librknnrt.so
 *     ./classify MODEL.rknn < IMAGE          (the pixels: uint8, height x width x channels)
 *
 * Prints the number of the most likely class. `ezrknn simulator --library` prints where the simulated library is. */
#include <stdio.h>

#include "rknn_abi.h"

int main(int argc, char **argv) {
    static unsigned char image[1 << 24];
    rknn_context npu;
    rknn_input input = {.buf = image, .type = RKNN_TENSOR_UINT8, .fmt = RKNN_TENSOR_NHWC};
    rknn_output output = {.want_float = 1};
    input.size = (uint32_t)fread(image, 1, sizeof image, stdin);
    if (argc < 2 || rknn_init(&npu, argv[1], 0, 0, NULL) != RKNN_SUCC) return 1;
    if (rknn_inputs_set(npu, 1, &input) != RKNN_SUCC || rknn_run(npu, NULL) != RKNN_SUCC) return 2;
    if (rknn_outputs_get(npu, 1, &output, NULL) != RKNN_SUCC) return 3;
    const float *scores = output.buf;
    uint32_t best = 0;
    for (uint32_t i = 1; i < output.size / sizeof *scores; ++i) best = scores[i] > scores[best] ? i : best;
    printf("%u\n", best);
    rknn_outputs_release(npu, 1, &output);
    return rknn_destroy(npu);
}
