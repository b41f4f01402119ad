/* SPDX-License-Identifier: Apache-2.0 */
/* The C functions of ez_rknn_engine.h: each checks its arguments, calls the engine, and turns exceptions into codes. */
#include <memory>
#include <new>
#include <system_error>
#include <utility>

#include "common/export.h"
#include "engine/engine.h"
#include "engine/interrupts.h"
#include "engine/left_behind.h"
#include "ez_rknn_engine.h"

/* The header's ezr_engine. */
struct ezr_engine final : ez_rknn::engine::Engine {
    using ez_rknn::engine::Engine::Engine;
};

namespace {

using ez_rknn::engine::Deadline;

bool is_timeout(int32_t timeout_ms) {
    return timeout_ms >= -1;
}

/* Calls `function` and turns running out of memory, the only exception left, into a code. */
template <typename Function>
auto guarded(Function function) noexcept -> decltype(function()) {
    try {
        return function();
    } catch (const std::bad_alloc &) {
        return EZR_NO_MEMORY;
    } catch (const std::system_error &) {
        return EZR_NO_THREAD;
    }
}

}  // namespace

EZ_RKNN_EXPORT int32_t ezr_create(const ezr_config *config, ezr_engine **engine) {
    if (engine == nullptr) return EZR_INVALID;
    *engine = nullptr;
    return guarded([&]() -> int32_t {
        if (!ez_rknn::engine::Engine::is_valid(config)) return EZR_INVALID;
        *engine = std::make_unique<ezr_engine>(*config).release();  // ezr_destroy takes it back
        return EZR_OK;
    });
}

EZ_RKNN_EXPORT int32_t ezr_run(ezr_engine *engine, const ezr_task *task, int32_t timeout_ms, uint32_t flags,
                               ezr_result *result) {
    if (engine == nullptr || result == nullptr || !is_timeout(timeout_ms)) return EZR_INVALID;
    if ((flags & ~uint32_t{EZR_RUN_INTERRUPTIBLE}) != 0) return EZR_INVALID;
    const bool is_interruptible = (flags & EZR_RUN_INTERRUPTIBLE) != 0;
    const ez_rknn::engine::InterruptWatch watch(is_interruptible);
    return guarded([&] { return engine->run(task, Deadline::in_ms(timeout_ms), is_interruptible, result); });
}

EZ_RKNN_EXPORT int32_t ezr_resume(ezr_engine *engine, int64_t id, ezr_result *result) {
    if (engine == nullptr || result == nullptr) return EZR_INVALID;
    const ez_rknn::engine::InterruptWatch watch(true);
    return guarded([&] { return engine->resume(id, result); });
}

EZ_RKNN_EXPORT int32_t ezr_leave(ezr_engine *engine, int64_t id) {
    return engine == nullptr ? EZR_INVALID : engine->leave(id);
}

EZ_RKNN_EXPORT int64_t ezr_submit(ezr_engine *engine, const ezr_task *task, int32_t timeout_ms) {
    if (engine == nullptr || !is_timeout(timeout_ms)) return EZR_INVALID;
    return guarded([&] { return engine->submit(task, timeout_ms); });
}

EZ_RKNN_EXPORT int64_t ezr_try_submit(ezr_engine *engine, const ezr_task *task) {
    if (engine == nullptr) return EZR_INVALID;
    return guarded([&]() -> int64_t { return engine->try_submit(task); });
}

EZ_RKNN_EXPORT int32_t ezr_cancel(ezr_engine *engine, int64_t id) {
    return engine == nullptr ? EZR_INVALID : engine->cancel(id);
}

EZ_RKNN_EXPORT uint8_t ezr_watch_interrupts(void) {
    return ez_rknn::engine::watch_interrupts() ? 1 : 0;
}

EZ_RKNN_EXPORT void ezr_unwatch_interrupts(void) {
    ez_rknn::engine::unwatch_interrupts();
}

EZ_RKNN_EXPORT void ezr_notify_room(ezr_engine *engine) {
    if (engine != nullptr) engine->notify_room();
}

EZ_RKNN_EXPORT int32_t ezr_next_completion(ezr_engine *engine, int32_t timeout_ms, ezr_result *result) {
    if (engine == nullptr || result == nullptr || !is_timeout(timeout_ms)) return EZR_INVALID;
    int32_t status = EZR_OK;
    const int32_t count = engine->next_completions(Deadline::in_ms(timeout_ms), 1, result, &status);
    return count < 0 ? count : status;
}

EZ_RKNN_EXPORT int32_t ezr_next_completions(ezr_engine *engine, int32_t timeout_ms, uint32_t capacity,
                                            ezr_result *results, int32_t *statuses) {
    if (engine == nullptr || results == nullptr || statuses == nullptr) return EZR_INVALID;
    if (!is_timeout(timeout_ms) || capacity < 1 || capacity > INT32_MAX) return EZR_INVALID;
    return engine->next_completions(Deadline::in_ms(timeout_ms), capacity, results, statuses);
}

EZ_RKNN_EXPORT int32_t ezr_replace_worker(ezr_engine *engine, uint32_t worker, rknn_context context) {
    if (engine == nullptr) return EZR_INVALID;
    return guarded([&] { return engine->replace_worker(worker, context); });
}

EZ_RKNN_EXPORT int32_t ezr_add_lane(ezr_engine *engine, const rknn_context *contexts) {
    if (engine == nullptr || contexts == nullptr) return EZR_INVALID;
    return guarded([&] { return engine->add_lane(contexts); });
}

EZ_RKNN_EXPORT void ezr_close(ezr_engine *engine, uint8_t discard) {
    if (engine != nullptr) engine->close(discard != 0);
}

EZ_RKNN_EXPORT int32_t ezr_join(ezr_engine *engine, int32_t timeout_ms) {
    if (engine == nullptr || !is_timeout(timeout_ms)) return EZR_INVALID;
    return engine->join(Deadline::in_ms(timeout_ms));
}

EZ_RKNN_EXPORT uint32_t ezr_destroy(ezr_engine *engine, int32_t timeout_ms, rknn_context *left, uint32_t capacity) {
    if (engine == nullptr) return 0;
    std::unique_ptr<ez_rknn::engine::Engine> ended(engine);
    const uint32_t count = ended->end(timeout_ms, left, left == nullptr ? 0 : capacity);
    ez_rknn::engine::free_returned_engines();
    if (count > 0) ez_rknn::engine::leave_behind(std::move(ended));
    return count;
}

EZ_RKNN_EXPORT void ezr_stats(ezr_engine *engine, ezr_group_stats *groups, ezr_stage_stats *stages) {
    if (engine != nullptr) engine->stats(groups, stages);
}

EZ_RKNN_EXPORT void ezr_health(ezr_engine *engine, ezr_worker_health *workers) {
    if (engine != nullptr && workers != nullptr) engine->health(workers);
}

EZ_RKNN_EXPORT void ezr_reset_stats(ezr_engine *engine) {
    if (engine != nullptr) engine->reset_stats();
}
