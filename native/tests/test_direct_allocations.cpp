/* SPDX-License-Identifier: Apache-2.0 */
/* The allocations of direct I/O. A program of its own, which counts every allocation. */
#include <atomic>
#include <cstdlib>
#include <new>

#include "tests/check.h"
#include "tests/direct_job.h"
#include "tests/fake_runtime.h"

using namespace ez_rknn::tests;

namespace {

std::atomic<size_t> allocations{0};

}  // namespace

/* Counts the allocations of this program and the engine's library. */
void *operator new(size_t size) {
    ++allocations;
    if (void *memory = std::malloc(size)) return memory;
    throw std::bad_alloc();
}
void operator delete(void *memory) noexcept {
    std::free(memory);
}
void operator delete(void *memory, size_t) noexcept {
    std::free(memory);
}

/* A direct task costs no more memory than one by copy: the record of bindings is reused. */
TEST(a_direct_run_allocates_no_more_than_one_by_copy) {
    ezr_runtime quiet{};  // the fake runtime would allocate itself
    quiet.inputs_set = [](rknn_context, uint32_t, rknn_input[]) { return RKNN_SUCC; };
    quiet.run = [](rknn_context, rknn_run_extend *) { return RKNN_SUCC; };
    quiet.outputs_get = [](rknn_context, uint32_t, rknn_output[], rknn_output_extend *) { return RKNN_SUCC; };
    quiet.outputs_release = [](rknn_context, uint32_t, rknn_output[]) { return RKNN_SUCC; };
    quiet.set_io_mem = [](rknn_context, rknn_tensor_mem *, rknn_tensor_attr *) { return RKNN_SUCC; };
    Bench bench(quiet);
    DirectJob direct(bench.input, bench.output);
    Job by_copy;
    const auto allocations_of = [&](const ezr_task *task) {
        bench.run(task);  // the first one binds
        const size_t before = allocations;
        bench.run(task);
        return allocations - before;
    };
    CHECK(allocations_of(direct) <= allocations_of(by_copy));
}
