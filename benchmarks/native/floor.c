/* SPDX-License-Identifier: Apache-2.0 */
/* The floor: the rate of a bare C program with one thread per core, each of which calls rknn_inputs_set, rknn_run and
 * rknn_outputs_get in a loop with nothing in between.
 *
 *     floor LIBRARY MODEL RUNS MASK...      (one thread for each core mask; RUNS are shared among them)
 *
 * Prints the elapsed seconds, the CPU seconds of the process, and the number of runs. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "rknn_abi.h"

enum { most = 16 };

static struct {
    int (*init)(rknn_context *, void *, uint32_t, uint32_t, rknn_init_extend *);
    int (*dup_context)(rknn_context *, rknn_context *);
    int (*set_core_mask)(rknn_context, rknn_core_mask);
    int (*query)(rknn_context, rknn_query_cmd, void *, uint32_t);
    int (*inputs_set)(rknn_context, uint32_t, rknn_input[]);
    int (*run)(rknn_context, rknn_run_extend *);
    int (*outputs_get)(rknn_context, uint32_t, rknn_output[], rknn_output_extend *);
    int (*outputs_release)(rknn_context, uint32_t, rknn_output[]);
    int (*destroy)(rknn_context);
} npu;

static rknn_input_output_num count;
static rknn_tensor_attr input_attrs[most], output_attrs[most];
static atomic_long left;
static pthread_barrier_t start;

static void check(int code, const char *what) {
    if (code < 0) {
        fprintf(stderr, "%s: %d\n", what, code);
        exit(1);
    }
}

static void *worker(void *context) {
    const rknn_context ctx = *(rknn_context *)context;
    rknn_input inputs[most] = {0};
    rknn_output outputs[most] = {0};
    for (uint32_t i = 0; i < count.n_input; ++i) {
        inputs[i] = (rknn_input){.index = i, .type = RKNN_TENSOR_FLOAT32, .fmt = input_attrs[i].fmt};
        inputs[i].size = input_attrs[i].n_elems * sizeof(float);
        inputs[i].buf = calloc(1, inputs[i].size);
    }
    for (uint32_t i = 0; i < count.n_output; ++i) {
        outputs[i] = (rknn_output){.index = i, .want_float = 1, .is_prealloc = 1};
        outputs[i].size = output_attrs[i].n_elems * sizeof(float);
        outputs[i].buf = malloc(outputs[i].size);
    }
    for (int is_warm = 0;; is_warm = 1) {
        if (is_warm && atomic_fetch_sub(&left, 1) <= 0) break;
        check(npu.inputs_set(ctx, count.n_input, inputs), "rknn_inputs_set");
        check(npu.run(ctx, NULL), "rknn_run");
        check(npu.outputs_get(ctx, count.n_output, outputs, NULL), "rknn_outputs_get");
        check(npu.outputs_release(ctx, count.n_output, outputs), "rknn_outputs_release");
        if (!is_warm) pthread_barrier_wait(&start);
    }
    for (uint32_t i = 0; i < count.n_input; ++i) free(inputs[i].buf);
    for (uint32_t i = 0; i < count.n_output; ++i) free(outputs[i].buf);
    return NULL;
}

static double seconds(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void *look_up(void *library, const char *name) {
    void *function = dlsym(library, name);
    if (function == NULL) check(-1, name);
    return function;
}

static void load(const char *path) {
    void *library = dlopen(path, RTLD_NOW);
    if (library == NULL) check(-1, dlerror());
    *(void **)&npu.init = look_up(library, "rknn_init");
    *(void **)&npu.dup_context = look_up(library, "rknn_dup_context");
    *(void **)&npu.set_core_mask = look_up(library, "rknn_set_core_mask");
    *(void **)&npu.query = look_up(library, "rknn_query");
    *(void **)&npu.inputs_set = look_up(library, "rknn_inputs_set");
    *(void **)&npu.run = look_up(library, "rknn_run");
    *(void **)&npu.outputs_get = look_up(library, "rknn_outputs_get");
    *(void **)&npu.outputs_release = look_up(library, "rknn_outputs_release");
    *(void **)&npu.destroy = look_up(library, "rknn_destroy");
}

static void describe(rknn_context ctx) {
    check(npu.query(ctx, RKNN_QUERY_IN_OUT_NUM, &count, sizeof count), "RKNN_QUERY_IN_OUT_NUM");
    if (count.n_input > most || count.n_output > most) check(-1, "too many inputs or outputs");
    for (uint32_t i = 0; i < count.n_input; ++i) {
        input_attrs[i].index = i;
        check(npu.query(ctx, RKNN_QUERY_INPUT_ATTR, &input_attrs[i], sizeof input_attrs[i]), "RKNN_QUERY_INPUT_ATTR");
    }
    for (uint32_t i = 0; i < count.n_output; ++i) {
        output_attrs[i].index = i;
        check(npu.query(ctx, RKNN_QUERY_OUTPUT_ATTR, &output_attrs[i], sizeof output_attrs[i]),
              "RKNN_QUERY_OUTPUT_ATTR");
    }
}

int main(int argc, char **argv) {
    rknn_context contexts[most];
    pthread_t threads[most];
    const int cores = argc - 4;
    if (cores < 1 || cores > most) return 2;
    load(argv[1]);
    const long runs = atol(argv[3]);
    atomic_init(&left, runs);
    pthread_barrier_init(&start, NULL, (unsigned)cores + 1);
    for (int i = 0; i < cores; ++i) {
        if (i == 0) {
            check(npu.init(&contexts[0], argv[2], 0, 0, NULL), "rknn_init");
            describe(contexts[0]);
        } else {
            check(npu.dup_context(&contexts[0], &contexts[i]), "rknn_dup_context");
        }
        check(npu.set_core_mask(contexts[i], (rknn_core_mask)atoi(argv[4 + i])), "rknn_set_core_mask");
    }
    for (int i = 0; i < cores; ++i) pthread_create(&threads[i], NULL, worker, &contexts[i]);
    pthread_barrier_wait(&start);
    const double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    for (int i = 0; i < cores; ++i) pthread_join(threads[i], NULL);
    printf("{\"seconds\": %.9f, \"cpu_seconds\": %.9f, \"runs\": %ld}\n", seconds(CLOCK_MONOTONIC) - wall,
           seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu, runs);
    for (int i = cores - 1; i >= 0; --i) npu.destroy(contexts[i]);
    return 0;
}
