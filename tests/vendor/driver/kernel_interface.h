/* SPDX-License-Identifier: Apache-2.0 */
/* What the runtime library says to the NPU's kernel driver: the ioctls of a DRM device called "rknpu", as observed.
 *
 * Every structure is read and written in place; the names are ours.
 */
#pragma once

#include <cstddef>
#include <cstdint>

namespace fake_npu {

/* An ioctl number holds a direction, the structure's size, the kind of device and the request. */
constexpr unsigned device_kind(unsigned long number) {
    return number >> 8 & 0xff;
}
constexpr unsigned request(unsigned long number) {
    return number & 0xff;
}

constexpr unsigned drm_kind = 'd';
constexpr unsigned dma_buf_kind = 'b';

enum class Request : unsigned {
    version = 0x00,
    get_unique = 0x01,
    gem_close = 0x09,
    gem_flink = 0x0a,
    handle_to_fd = 0x2d,
    fd_to_handle = 0x2e,
    // Requests of one driver alone start at 0x40.
    action = 0x40,
    submit = 0x41,
    memory_create = 0x42,
    memory_map = 0x43,
    memory_destroy = 0x44,
    memory_sync = 0x45,
};

struct Version {
    int major, minor, patch;
    size_t name_length;
    char *name;
    size_t date_length;
    char *date;
    size_t description_length;
    char *description;
};

struct Unique {
    size_t length;
    char *unique;
};

struct GemClose {
    uint32_t handle, padding;
};

struct GemFlink {
    uint32_t handle, name;
};

struct PrimeHandle {
    uint32_t handle, flags;
    int32_t fd;
};

/* Questions and switches; the answer comes back in `value`. */
struct Action {
    uint32_t which, value;
};
constexpr uint32_t action_hardware_version = 0;
constexpr uint32_t action_driver_version = 1;
constexpr uint32_t action_iommu_enabled = 18;
constexpr uint32_t action_total_sram = 22;
constexpr uint32_t action_free_sram = 23;

/* With a handle: asks for the addresses of memory that was imported. Without: allocates. */
struct MemoryCreate {
    uint32_t handle, flags;
    uint64_t size, object, dma_address, sram_size;
};

/* `offset` is what mmap is to be given to map this memory. */
struct MemoryMap {
    uint32_t handle, reserved;
    uint64_t offset;
};

struct MemoryDestroy {
    uint32_t handle, reserved;
    uint64_t object;
};

struct MemorySync {
    uint32_t flags, reserved;
    uint64_t object, offset, size;
};

struct SubcoreTask {
    uint32_t start, number;
};

struct Submit {
    uint32_t flags, timeout, task_start, task_number, task_counter;
    int32_t priority;
    uint64_t task_object, register_object, task_base;
    int64_t elapsed;
    uint32_t core_mask;
    int32_t fence_fd;
    SubcoreTask subcore_task[5];
};
constexpr uint32_t submit_wants_fence = 16;

static_assert(sizeof(MemoryCreate) == 40 && sizeof(MemorySync) == 32 && sizeof(Submit) == 104, "the kernel's sizes");

}  // namespace fake_npu
