/* SPDX-License-Identifier: Apache-2.0 */
/* EZR_DISPATCH_LEAST_LOADED: the first idle core gets the next task, and one queue serves all while none is idle. */
#include <thread>

#include "tests/check.h"
#include "tests/fake_runtime.h"

using namespace ez_rknn::tests;

namespace {

Layout least_loaded(uint32_t cores, std::vector<uint32_t> routes, uint32_t queue_capacity = 8) {
    Layout layout;
    layout.cores = cores;
    layout.routes = std::move(routes);
    layout.queue_capacity = queue_capacity;
    layout.dispatch = EZR_DISPATCH_LEAST_LOADED;
    return layout;
}

}  // namespace

/* An idle core gets the task: the order of the routes decides, not the number of the task. */
TEST(the_first_idle_core_in_the_order_of_the_routes_gets_the_task) {
    FakeRuntime runtime;
    TestEngine engine(least_loaded(3, {2, 0, 2, 1}));
    Job jobs[3];
    size_t i = 0;
    for (uint32_t core : {2U, 0U, 1U}) runtime.occupy(engine, jobs[i++], context_of(core));
    for (uint32_t core = 0; core < 3; ++core) runtime.let_go(context_of(core));
    for (uint32_t core : {2U, 0U, 1U}) CHECK_EQ(next(engine).group, core);
}

/* A core busy with a long task is skipped; the first free core takes the next waiting task. */
TEST(the_first_free_core_takes_the_next_task) {
    FakeRuntime runtime;
    TestEngine engine(least_loaded(2, {0, 1}, 50));
    std::vector<Job> jobs(60);
    runtime.occupy(engine, jobs[0]);
    for (size_t i = 1; i < jobs.size(); ++i) CHECK(ezr_submit(engine, jobs[i], 0) >= 0);
    while (runtime.run_count(context_of(1)) < jobs.size() - 1) continue;
    CHECK_EQ(runtime.run_count(context_of(0)), 1U);
    runtime.let_go(context_of(0));
    for (int64_t id = 0; id < 60; ++id) CHECK_EQ(next(engine).group, id == 0 ? 0U : 1U);
}

/* The common queue holds the capacity of all groups' together, whichever core its tasks will run on. */
TEST(the_common_queue_holds_the_capacity_of_all_groups) {
    FakeRuntime runtime;
    TestEngine engine(least_loaded(2, {0, 1}, 3));
    std::vector<Job> jobs(9);
    for (uint32_t core : {0U, 1U}) runtime.occupy(engine, jobs[core], context_of(core));
    for (int64_t id = 2; id < 8; ++id) CHECK_EQ(ezr_submit(engine, jobs[id], 0), id);
    CHECK_EQ(ezr_submit(engine, jobs[8], 0), int64_t{EZR_TIMEOUT});
    CHECK_EQ(stats_of(engine).queued, 6U);
    for (uint32_t core : {0U, 1U}) runtime.let_go(context_of(core));
    for (int64_t id = 0; id < 8; ++id) CHECK_EQ(next(engine).id, id);
}

/* The context that a blocking run held on the caller's thread serves the common queue when it is given back. */
TEST(a_context_that_an_inline_run_gives_back_serves_the_common_queue) {
    FakeRuntime runtime;
    TestEngine engine(least_loaded(1, {0}));
    Job run, waiting;
    runtime.hold(context_of(0));
    std::thread caller([&] {
        ezr_result result{};
        CHECK_EQ(ezr_run(engine, run, -1, 0, &result), EZR_OK);
    });
    runtime.wait_until_held(context_of(0));
    CHECK_EQ(ezr_submit(engine, waiting, 0), int64_t{1});
    runtime.let_go(context_of(0));
    CHECK_EQ(next(engine).id, int64_t{1});
    caller.join();
}

/* A blocking run goes to the first idle core too, and on the calling thread. */
TEST(a_run_goes_to_the_first_idle_core) {
    FakeRuntime runtime;
    TestEngine engine(least_loaded(2, {0, 1}));
    Job busy, run;
    ezr_result result{};
    for (int i = 0; i < 3; ++i) {
        CHECK_EQ(ezr_run(engine, run, -1, 0, &result), EZR_OK);
        CHECK_EQ(result.group, 0U);
    }
    runtime.occupy(engine, busy);
    CHECK_EQ(ezr_run(engine, run, -1, 0, &result), EZR_OK);
    CHECK_EQ(result.group, 1U);
    runtime.let_go(context_of(0));
    next(engine);
}

/* Tasks in the common queue when the engine closes are run, or discarded as tasks of no group. */
TEST(the_common_queue_is_drained_or_discarded) {
    for (uint8_t discard : {uint8_t{0}, uint8_t{1}}) {
        FakeRuntime runtime;
        TestEngine engine(least_loaded(2, {0, 1}));
        Job jobs[6];
        for (uint32_t core : {0U, 1U}) runtime.hold(context_of(core));
        for (Job &job : jobs) ezr_submit(engine, job, 0);
        for (uint32_t core : {0U, 1U}) runtime.wait_until_held(context_of(core));
        ezr_close(engine, discard);
        for (uint32_t core : {0U, 1U}) runtime.let_go(context_of(core));
        for (int64_t id = 0; id < 6; ++id) {
            const ezr_result result = next(engine);
            const bool is_discarded = discard == 1 && id >= 2;
            CHECK_EQ(result.id, id);
            CHECK_EQ(result.code, is_discarded ? RKNN_ERR_FAIL : RKNN_SUCC);
            CHECK_EQ(result.group == UINT32_MAX, is_discarded);
        }
        ezr_result result{};
        CHECK_EQ(ezr_next_completion(engine, -1, &result), EZR_CLOSED);
        engine.destroy();
    }
}

/* Everything at once: every task ends once, in order, and no context is used twice at a time. */
TEST(least_loaded_under_stress) {
    FakeRuntime runtime;
    Layout layout = least_loaded(3, {0, 1, 2}, 2);
    layout.contexts_per_core = 2;
    TestEngine engine(layout);
    std::vector<Job> jobs(4000);
    std::vector<std::thread> clients;
    for (int t = 0; t < 3; ++t) {
        clients.emplace_back([&] {
            for (int i = 0; i < 500; ++i) {
                Job job(i);
                ezr_result result{};
                if (ezr_run(engine, job, i % 3 - 1, 0, &result) == EZR_OK) CHECK(job.is_done());
            }
        });
    }
    clients.emplace_back([&] {
        for (Job &job : jobs) CHECK(ezr_submit(engine, job, -1) >= 0);
    });
    int64_t last = -1;
    for (size_t i = 0; i < jobs.size(); ++i) {
        const ezr_result result = next(engine);
        CHECK(result.id > last);
        last = result.id;
    }
    for (std::thread &client : clients) client.join();
    for (const Job &job : jobs) CHECK(job.is_done());
    CHECK_EQ(runtime.overlaps(), 0);
}
