/* The C functions of ez_rknn_engine.h: each checks its arguments, calls the engine, and turns exceptions into codes. */
#include <algorithm>
#include <memory>
#include <new>
#include <system_error>

#include "engine.h"
#include "ez_rknn_engine.h"

/* What the header calls an engine is one. */
struct ezr_engine : ezr::Engine {
    using ezr::Engine::Engine;
};

namespace {

using ezr::Deadline;

bool is_timeout(int32_t timeout_ms) {
    return timeout_ms >= -1;
}

/* Calls `function`; running out of memory, the only thing that can go wrong unforeseen, becomes a code. */
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

#define EZR_EXPORT extern "C" __attribute__((visibility("default")))

EZR_EXPORT int32_t ezr_create(const ezr_config *config, ezr_engine **engine) {
    if (engine == nullptr) return EZR_INVALID;
    *engine = nullptr;
    return guarded([&]() -> int32_t {
        if (!ezr::Engine::is_valid(config)) return EZR_INVALID;
        *engine = std::make_unique<ezr_engine>(*config).release();  // ezr_destroy takes it back
        return EZR_OK;
    });
}

EZR_EXPORT int32_t ezr_run(ezr_engine *engine, const ezr_task *task, int32_t timeout_ms, uint32_t flags,
                           ezr_result *result) {
    if (engine == nullptr || result == nullptr || !is_timeout(timeout_ms) || flags != 0) return EZR_INVALID;
    return guarded([&] { return engine->run(task, Deadline::in_ms(timeout_ms), result); });
}

EZR_EXPORT int64_t ezr_submit(ezr_engine *engine, const ezr_task *task, int32_t timeout_ms) {
    if (engine == nullptr || !is_timeout(timeout_ms)) return EZR_INVALID;
    return guarded([&] { return engine->submit(task, Deadline::in_ms(timeout_ms)); });
}

EZR_EXPORT int32_t ezr_next_completion(ezr_engine *engine, int32_t timeout_ms, ezr_result *result) {
    if (engine == nullptr || result == nullptr || !is_timeout(timeout_ms)) return EZR_INVALID;
    return guarded([&] { return engine->next_completion(Deadline::in_ms(timeout_ms), result); });
}

EZR_EXPORT void ezr_close(ezr_engine *engine, uint8_t discard) {
    if (engine != nullptr) engine->close(discard != 0);
}

EZR_EXPORT uint32_t ezr_destroy(ezr_engine *engine, int32_t, rknn_context *, uint32_t) {
    const std::unique_ptr<ezr_engine> taken_back(engine);
    return 0;
}

EZR_EXPORT void ezr_stats(ezr_engine *engine, ezr_group_stats *groups, ezr_stage_stats *stages) {
    if (engine != nullptr && groups != nullptr) engine->stats(groups);
    if (stages != nullptr) std::fill_n(stages, EZR_STAGES, ezr_stage_stats{});
}

/* Not there yet: refused, so that nobody relies on them. */
EZR_EXPORT int32_t ezr_resume(ezr_engine *, int64_t, ezr_result *) {
    return EZR_INVALID;
}
EZR_EXPORT int32_t ezr_leave(ezr_engine *, int64_t) {
    return EZR_INVALID;
}
EZR_EXPORT int32_t ezr_cancel(ezr_engine *, int64_t) {
    return EZR_INVALID;
}
EZR_EXPORT void ezr_notify_room(ezr_engine *) {}
EZR_EXPORT int32_t ezr_replace_worker(ezr_engine *, uint32_t, rknn_context) {
    return EZR_INVALID;
}
EZR_EXPORT void ezr_reset_stats(ezr_engine *) {}
