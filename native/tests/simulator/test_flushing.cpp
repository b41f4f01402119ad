/* SPDX-License-Identifier: Apache-2.0 */
/* Flushing the caches between the program and the NPU, and the errors when no one does. */

#include "tests/check.h"
#include "tests/simulator/bound.h"
#include "tests/simulator/support.h"

using namespace ez_rknn::tests;

TEST(unflushed_input_is_an_error_when_the_runtime_does_not_flush) {
    use_fake_device();
    const Bound bound(compute, RKNN_FLAG_DISABLE_FLUSH_INPUT_MEM_CACHE);
    CHECK_EQ(bound.run(), RKNN_SUCC);  // zeros since its creation: nothing to flush
    bytes_of(bound.input)[0] = 7;
    CHECK_EQ(bound.run(), RKNN_ERR_FAIL);
    CHECK(last_error_has("rknn_mem_sync"));
    CHECK_EQ(rknn_mem_sync(bound.context, bound.input, RKNN_MEMORY_SYNC_FROM_DEVICE), RKNN_SUCC);
    CHECK_EQ(bound.run(), RKNN_ERR_FAIL);  // the other direction
    CHECK_EQ(rknn_mem_sync(bound.context, bound.input, RKNN_MEMORY_SYNC_TO_DEVICE), RKNN_SUCC);
    CHECK_EQ(bound.run(), RKNN_SUCC);
    CHECK_EQ(int{bytes_of(bound.output)[0]}, 7);
    CHECK_EQ(bound.run(), RKNN_SUCC);
    bytes_of(bound.input)[bound.input->size - 1] ^= 1;
    CHECK_EQ(bound.run(), RKNN_ERR_FAIL);
    CHECK_EQ(rknn_mem_sync(bound.context, bound.input, RKNN_MEMORY_SYNC_BIDIRECTIONAL), RKNN_SUCC);
    CHECK_EQ(bound.run(), RKNN_SUCC);
}

TEST(the_runtime_flushes_unflushed_input) {
    use_fake_device();
    const Bound bound(compute);
    bytes_of(bound.input)[0] = 7;
    CHECK_EQ(bound.run(), RKNN_SUCC);
    CHECK_EQ(int{bytes_of(bound.output)[0]}, 7);
}

TEST(memory_without_caches_needs_no_flushing) {
    use_fake_device();
    const Bound bound(compute, RKNN_FLAG_DISABLE_FLUSH_INPUT_MEM_CACHE);
    rknn_tensor_mem *memory = rknn_create_mem2(bound.context, bound.input->size, RKNN_FLAG_MEMORY_NON_CACHEABLE);
    rknn_tensor_attr attr = bound.input_attr;
    CHECK_EQ(rknn_set_io_mem(bound.context, memory, &attr), RKNN_SUCC);
    bytes_of(memory)[0] = 7;
    CHECK_EQ(bound.run(), RKNN_SUCC);
    CHECK_EQ(rknn_destroy_mem(bound.context, memory), RKNN_SUCC);
}

TEST(memory_written_by_the_npu_needs_no_flushing) {
    use_fake_device();
    const uint32_t flags = RKNN_FLAG_DISABLE_FLUSH_INPUT_MEM_CACHE;
    const Bound first(compute), second(compute, flags);
    // The first context's output is in the memory of the second one's input: under another handle, too.
    rknn_tensor_attr attr = attribute(first.context, RKNN_QUERY_OUTPUT_ATTR);
    rknn_tensor_mem *shared = rknn_create_mem(second.context, attr.size);
    rknn_tensor_mem *alias =
        rknn_create_mem_from_fd(first.context, shared->fd, shared->virt_addr, shared->size, shared->offset);
    rknn_tensor_attr input = second.input_attr;
    CHECK(attr.size >= input.size_with_stride);
    CHECK_EQ(rknn_set_io_mem(first.context, alias, &attr), RKNN_SUCC);
    CHECK_EQ(rknn_set_io_mem(second.context, shared, &input), RKNN_SUCC);
    for (const uint8_t number : {uint8_t{11}, uint8_t{12}}) {
        bytes_of(first.input)[0] = number;
        CHECK_EQ(first.run(), RKNN_SUCC);
        CHECK_EQ(second.run(), RKNN_SUCC);
        CHECK_EQ(int{bytes_of(second.output)[0]}, int{number});
    }
    // A flush through one handle counts for the other.
    bytes_of(shared)[0] = 99;
    CHECK_EQ(rknn_mem_sync(first.context, alias, RKNN_MEMORY_SYNC_TO_DEVICE), RKNN_SUCC);
    CHECK_EQ(second.run(), RKNN_SUCC);
    CHECK_EQ(rknn_destroy_mem(first.context, alias), RKNN_SUCC);
    CHECK_EQ(rknn_destroy_mem(second.context, shared), RKNN_SUCC);
}
