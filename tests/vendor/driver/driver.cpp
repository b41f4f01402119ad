/* SPDX-License-Identifier: Apache-2.0 */
#include "driver.h"

#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <system_error>

namespace fake_npu {

namespace {

constexpr uint32_t hardware_rk3588 = 0x46495245;
constexpr uint32_t driver_version = 902;  // 0.9.2
// mmap's offsets carry the handle above the bits that a real mapping could need.
constexpr unsigned offset_shift = 32;

const char *name_of(Request request) {
    switch (request) {
        case Request::version:
            return "VERSION";
        case Request::get_unique:
            return "GET_UNIQUE";
        case Request::gem_close:
            return "GEM_CLOSE";
        case Request::gem_flink:
            return "GEM_FLINK";
        case Request::handle_to_fd:
            return "HANDLE_TO_FD";
        case Request::fd_to_handle:
            return "FD_TO_HANDLE";
        case Request::action:
            return "ACTION";
        case Request::submit:
            return "SUBMIT";
        case Request::memory_create:
            return "MEMORY_CREATE";
        case Request::memory_map:
            return "MEMORY_MAP";
        case Request::memory_destroy:
            return "MEMORY_DESTROY";
        case Request::memory_sync:
            return "MEMORY_SYNC";
    }
    return "UNKNOWN";
}

int refuse(int code) {
    errno = code;
    return -1;
}

/* DRM's way to give texts: as much as fits, and how long it is. */
void give(const char *text, char *to, size_t &length) {
    if (to) std::memcpy(to, text, std::min(length, std::strlen(text)));
    length = std::strlen(text);
}

}  // namespace

Driver &Driver::instance() {
    // Never destroyed: the runtime gives memory back as late as in its own destructors.
    static auto &driver = *std::make_unique<Driver>().release();
    return driver;
}

int Driver::open() {
    const int fd = memfd_create("card0", MFD_CLOEXEC);
    const std::lock_guard<std::mutex> lock(mutex_);
    if (fd >= 0) devices_.insert(fd);
    return fd;
}

void Driver::close(int fd) {
    const std::lock_guard<std::mutex> lock(mutex_);
    devices_.erase(fd);
}

bool Driver::is_device(int fd) {
    const std::lock_guard<std::mutex> lock(mutex_);
    return devices_.count(fd) > 0;
}

uint64_t Driver::count(const std::string &name) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = counts_.find(name);
    return found == counts_.end() ? 0 : found->second;
}

void Driver::tally(const std::string &name) {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++counts_[name];
}

int Driver::control(unsigned long number, void *argument) {
    const auto request = static_cast<Request>(fake_npu::request(number));
    tally(device_kind(number) == drm_kind ? name_of(request) : "UNKNOWN");
    if (device_kind(number) != drm_kind) return refuse(ENOTTY);
    try {
        return dispatch(request, argument);
    } catch (const std::system_error &error) {
        return refuse(error.code().value());
    }
}

int Driver::dispatch(Request request, void *argument) {
    switch (request) {
        case Request::version:
            return version(*static_cast<Version *>(argument));
        case Request::get_unique:
            static_cast<Unique *>(argument)->length = 0;
            return 0;
        case Request::action:
            return action(*static_cast<Action *>(argument));
        case Request::submit:
            return submit(*static_cast<Submit *>(argument));
        case Request::memory_create:
            return create(*static_cast<MemoryCreate *>(argument));
        case Request::gem_close:
            return destroy(memories_.find_handle(static_cast<GemClose *>(argument)->handle));
        case Request::memory_destroy: {
            const auto &asked = *static_cast<MemoryDestroy *>(argument);
            return destroy(asked.object ? memories_.find_object(asked.object) : memories_.find_handle(asked.handle));
        }
        case Request::gem_flink: {
            auto &answer = *static_cast<GemFlink *>(argument);
            answer.name = answer.handle;
            return 0;
        }
        case Request::handle_to_fd: {
            auto &answer = *static_cast<PrimeHandle *>(argument);
            const Memory *memory = memories_.find_handle(answer.handle);
            if (!memory) return refuse(EINVAL);
            answer.fd = dup(memory->file());
            return answer.fd < 0 ? -1 : 0;
        }
        case Request::fd_to_handle: {
            auto &answer = *static_cast<PrimeHandle *>(argument);
            answer.handle = memories_.import(answer.fd).handle();
            return 0;
        }
        case Request::memory_map: {
            auto &answer = *static_cast<MemoryMap *>(argument);
            answer.offset = uint64_t{answer.handle} << offset_shift;
            return memories_.find_handle(answer.handle) ? 0 : refuse(EINVAL);
        }
        case Request::memory_sync:
            return memories_.find_object(static_cast<MemorySync *>(argument)->object) ? 0 : refuse(EINVAL);
    }
    return refuse(EINVAL);
}

Memory *Driver::mapped_at(uint64_t offset) {
    return memories_.find_handle(static_cast<uint32_t>(offset >> offset_shift));
}

int Driver::version(Version &answer) {
    answer.major = driver_version / 10000;
    answer.minor = driver_version / 100 % 100;
    answer.patch = driver_version % 100;
    give("rknpu", answer.name, answer.name_length);
    give("20231018", answer.date, answer.date_length);
    give("faked for tests", answer.description, answer.description_length);
    return 0;
}

int Driver::action(Action &answer) {
    switch (answer.which) {
        case action_hardware_version:
            answer.value = hardware_rk3588;
            break;
        case action_driver_version:
            answer.value = driver_version;
            break;
        case action_iommu_enabled:
            answer.value = 1;
            break;
        case action_total_sram:
        case action_free_sram:
            answer.value = 0;
            break;
        default:
            break;  // power, priorities: accepted
    }
    return 0;
}

int Driver::create(MemoryCreate &answer) {
    Memory *known = answer.handle ? memories_.find_handle(answer.handle) : nullptr;
    const Memory &memory = known ? *known : memories_.create(answer.size);
    answer.handle = memory.handle();
    answer.object = memory.object();
    answer.dma_address = memory.dma_address();
    if (known) answer.size = memory.size();
    return 0;
}

int Driver::destroy(const Memory *memory) {
    if (memory && memories_.destroy(memory)) return 0;
    tally("DESTROYED_NOTHING");
    return refuse(EINVAL);
}

int Driver::submit(Submit &submit) {
    const Memory *tasks = memories_.find_object(submit.task_object);
    if (!tasks) return refuse(EINVAL);
    fake_npu_submit description{
        submit.flags, submit.timeout, submit.task_start, submit.task_number, tasks->handle(), submit.core_mask, {}};
    for (size_t core = 0; core < 5; ++core) {
        description.subcore_task[core][0] = submit.subcore_task[core].start;
        description.subcore_task[core][1] = submit.subcore_task[core].number;
    }
    const fake_npu_submit_callback callback = callback_;
    const int code = callback ? callback(&description) : 0;
    submit.task_counter = code == 0 ? submit.task_number : 0;
    if (code != 0) return refuse(code);
    if (submit.flags & submit_wants_fence) submit.fence_fd = eventfd(1, EFD_CLOEXEC);
    return 0;
}

}  // namespace fake_npu

using fake_npu::Driver;

extern "C" {

void fake_npu_on_submit(fake_npu_submit_callback callback) {
    Driver::instance().on_submit(callback);
}

uint32_t fake_npu_memories(fake_npu_memory *memories, uint32_t capacity) {
    const auto all = Driver::instance().memories().list();
    std::copy_n(all.begin(), std::min<size_t>(all.size(), capacity), memories);
    return static_cast<uint32_t>(all.size());
}

uint64_t fake_npu_count(const char *ioctl) {
    return Driver::instance().count(ioctl);
}

}  // extern "C"
