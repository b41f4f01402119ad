/* SPDX-License-Identifier: Apache-2.0 */
#include "rknnrt/context/process.h"

#include <pthread.h>

#include <atomic>

#include "rknn_abi.h"
#include "rknnrt/base/status.h"

namespace ez_rknn::rknnrt {

namespace {

/* Far from zero, small numbers and addresses, so that none of these is a handle by accident. */
constexpr rknn_context first_handle = 0xE200000000000001;

std::atomic<rknn_context> next_handle{first_handle};
std::atomic<rknn_context> first_own_handle{first_handle}; /* lower ones are inherited through fork */
std::atomic<ProcessState *> state{nullptr};

void before_fork() {
    lock_descriptors_for_fork();
}

void after_fork_in_parent() {
    unlock_descriptors_after_fork();
}

void after_fork_in_child() {
    close_descriptors_in_child();
    unlock_descriptors_after_fork();
    first_own_handle = next_handle.load();
    auto fresh = std::make_unique<ProcessState>();
    fresh->inherited = state.load();
    state = fresh.release();
}

/* Made on first use and never destroyed: threads may still be running when the process ends. */
ProcessState *make_state() {
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
    state = std::make_unique<ProcessState>().release();
    return state;
}

[[noreturn]] void fail_as_invalid(rknn_context handle) {
    if (handle == 0) fail(RKNN_ERR_CTX_INVALID, "the context is 0: rknn_init did not succeed");
    if (handle < first_own_handle && handle >= first_handle) {
        fail(RKNN_ERR_CTX_INVALID, "this context was made before fork and belongs to the parent process; ",
             "make a new one with rknn_init");
    }
    if (handle >= first_handle && handle < next_handle) fail(RKNN_ERR_CTX_INVALID, "this context was destroyed");
    fail(RKNN_ERR_CTX_INVALID, "there is no such context");
}

}  // namespace

ProcessState &process_state() {
    static ProcessState *const first = make_state();
    static_cast<void>(first);
    return *state;
}

rknn_context ContextRegistry::add(std::shared_ptr<Context> context) {
    const Lock lock(mutex_);
    const rknn_context handle = next_handle++;
    contexts_.emplace(handle, std::move(context));
    return handle;
}

std::shared_ptr<Context> ContextRegistry::look_up(rknn_context handle) {
    const Lock lock(mutex_);
    const auto found = contexts_.find(handle);
    return found == contexts_.end() ? nullptr : found->second;
}

std::shared_ptr<Context> ContextRegistry::find(rknn_context handle) {
    std::shared_ptr<Context> context = look_up(handle);
    if (context == nullptr) fail_as_invalid(handle);
    return context;
}

std::shared_ptr<Context> ContextRegistry::remove(rknn_context handle) {
    const Lock lock(mutex_);
    const auto found = contexts_.find(handle);
    if (found == contexts_.end()) fail_as_invalid(handle);
    std::shared_ptr<Context> context = std::move(found->second);
    contexts_.erase(found);
    return context;
}

uint32_t ContextRegistry::count() {
    const Lock lock(mutex_);
    return static_cast<uint32_t>(contexts_.size());
}

bool ContextRegistry::weights_are_orphaned(const Model &model) {
    const Lock lock(mutex_);
    bool used = false;
    for (const auto &[handle, context] : contexts_) {
        if (context->model().get() == &model) return false;
        used = used || context->model()->master.get() == &model;
    }
    return used;
}

}  // namespace ez_rknn::rknnrt
