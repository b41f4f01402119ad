/* SPDX-License-Identifier: Apache-2.0 */
/* An engine on a system that refuses threads. This executable intercepts the engine's pthread_create. */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>

#include <atomic>

#include "tests/check.h"
#include "tests/fake_runtime.h"

using namespace ez_rknn::tests;

namespace {

/* The number of threads that the system still grants. */
std::atomic<int> granted{0};

constexpr uint32_t context_count = 6;

}  // namespace

extern "C" __attribute__((visibility("default"))) int pthread_create(pthread_t *thread,
                                                                     const pthread_attr_t *attributes,
                                                                     void *(*start)(void *), void *argument) noexcept {
    static const auto create = reinterpret_cast<decltype(&pthread_create)>(dlsym(RTLD_NEXT, "pthread_create"));
    if (granted.fetch_sub(1) <= 0) return EAGAIN;
    return create(thread, attributes, start, argument);
}

/* Whichever thread is refused, creation reports it, there is no engine, and the threads started before have ended:
 * otherwise the leak and thread sanitizers, or a use of the destroyed fake runtime, would show it. */
TEST(a_refused_thread_fails_the_creation) {
    std::vector<ezr_worker> workers;
    for (uint32_t i = 0; i < context_count; ++i) workers.push_back({context_of(i % 3, i / 3), i % 3});
    const uint32_t routes[] = {0, 1, 2};
    const ezr_config config{
        FakeRuntime::functions(), workers.data(), context_count, 3, routes, 3, 1, 1, 1, EZR_DISPATCH_MODULO, 0, 0};
    for (uint32_t threads = 0; threads < context_count; ++threads) {
        granted = static_cast<int>(threads);
        ezr_engine *engine = reinterpret_cast<ezr_engine *>(1);
        CHECK_EQ(ezr_create(&config, &engine), EZR_NO_THREAD);
        CHECK(engine == nullptr);
    }
}

/* An engine works with as many threads as contexts; it needs no other. */
TEST(an_engine_needs_one_thread_a_context) {
    FakeRuntime runtime;
    granted = context_count;
    TestEngine engine({3, 2, {0, 1, 2}});
    CHECK_EQ(granted.load(), 0);
    Job job;
    CHECK_EQ(ezr_submit(engine, job, -1), int64_t{0});
    CHECK_EQ(next(engine).code, RKNN_SUCC);
}
