/* SPDX-License-Identifier: Apache-2.0 */
/* Engines destroyed while a thread of theirs is inside the runtime. */
#include <thread>

#include "tests/check.h"
#include "tests/fake_runtime.h"

using namespace ez_rknn::tests;

/* Destroying waits for a thread that returns in time, and leaves nothing behind. */
TEST(destroy_waits_for_a_thread_that_comes_back) {
    FakeRuntime runtime;
    TestEngine engine(watched());
    Job job;
    stall(runtime, engine, job);
    std::thread other([&] { runtime.let_go(context_of(0)); });
    CHECK(engine.destroy(-1).empty());
    other.join();
}

/* A thread that does not return is left behind with its context, which the host must not destroy. If it returns after
 * all it finds its memory, ends, and the next engine destroyed frees the old one: otherwise the leak sanitizer and the
 * thread sanitizer would report it. */
TEST(a_thread_that_does_not_come_back_is_left_behind) {
    FakeRuntime runtime;
    Job job, healthy;
    {
        TestEngine engine(watched(2));
        runtime.hold(context_of(0));
        ezr_submit(engine, job, 0);
        ezr_submit(engine, healthy, 0);
        CHECK(engine.destroy(0) == std::vector<rknn_context>{context_of(0)});
        CHECK(healthy.is_done());
    }
    {
        TestEngine other(watched());
        CHECK(other.destroy(0).empty());  // the first is still away, and stays
    }
    runtime.let_go(context_of(0));
    wait_until_no_engine_threads();
    CHECK(!job.is_done());
    CHECK_EQ(runtime.calls(EZR_CALL_OUTPUTS_GET), 1);
    TestEngine last(watched());
    last.destroy();
}

/* Every thread left is counted, though not all may fit. */
TEST(the_number_left_behind_is_complete) {
    FakeRuntime runtime;
    Job jobs[2];
    const ezr_worker workers[] = {{context_of(0), 0}, {context_of(1), 1}};
    const uint32_t routes[] = {0, 1};
    const ezr_config config{FakeRuntime::functions(), workers, 2, 2, routes, 2, 8, 8, 1, EZR_DISPATCH_MODULO, 0, 50};
    ezr_engine *engine = nullptr;
    CHECK_EQ(ezr_create(&config, &engine), EZR_OK);
    for (uint32_t core : {0U, 1U}) {
        runtime.hold(context_of(core));
        ezr_submit(engine, jobs[core], 0);
    }
    rknn_context left[2] = {0, 0};
    CHECK_EQ(ezr_destroy(engine, 0, left, 1), 2U);
    CHECK(left[0] == context_of(0) || left[0] == context_of(1));
    CHECK_EQ(left[1], rknn_context{0});
    for (uint32_t core : {0U, 1U}) runtime.let_go(context_of(core));
    wait_until_no_engine_threads();
    TestEngine last(watched());
    last.destroy();
}
