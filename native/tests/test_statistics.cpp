/* SPDX-License-Identifier: Apache-2.0 */
/* The engine's statistics. */
#include <algorithm>
#include <cstdlib>
#include <new>
#include <random>

#include "engine/histogram.h"
#include "engine/stages.h"
#include "tests/check.h"
#include "tests/fake_runtime.h"

using namespace ez_rknn::tests;
using namespace ez_rknn::engine;

namespace {

/* The number of this thread's allocations. */
thread_local int allocations = 0;

bool is_near(int64_t value, int64_t truth) {
    return std::abs(static_cast<double>(value - truth)) <= 0.05 * static_cast<double>(truth);
}

}  // namespace

/* Durations are reported accurate to 5 %, at every order of magnitude. */
TEST(a_percentile_is_accurate_to_five_percent) {
    for (int64_t value = 1; value < int64_t{1} << 42; value += value / 37 + 1) {
        Histogram histogram;
        histogram.add(value);
        histogram.add(int64_t{1} << 50);  // so that the largest value does not help
        CHECK(is_near(histogram.summary().p50_ns, value));
    }
}

/* Percentiles, sum and maximum are those of the values. */
TEST(a_histogram_summarises_its_values) {
    std::mt19937_64 random(1);
    std::lognormal_distribution<double> distribution(13, 2);
    std::vector<int64_t> values(20'000);
    Histogram histogram;
    int64_t sum = 0;
    for (int64_t &value : values) {
        value = static_cast<int64_t>(distribution(random));
        histogram.add(value);
        sum += value;
    }
    std::sort(values.begin(), values.end());
    const ezr_stage_stats summary = histogram.summary();
    CHECK_EQ(summary.count, values.size());
    CHECK_EQ(summary.sum_ns, sum);
    CHECK_EQ(summary.max_ns, values.back());
    CHECK(is_near(summary.p50_ns, values[values.size() * 50 / 100 - 1]));
    CHECK(is_near(summary.p90_ns, values[values.size() * 90 / 100 - 1]));
    CHECK(is_near(summary.p99_ns, values[values.size() * 99 / 100 - 1]));
}

/* The extremes: nothing, only zero, below zero, and values beyond the last bucket. */
TEST(a_histogram_takes_every_value) {
    Histogram histogram;
    CHECK_EQ(histogram.summary().p99_ns, int64_t{0});
    histogram.add(0);
    histogram.add(-5);
    CHECK_EQ(histogram.summary().p99_ns, int64_t{0});
    CHECK_EQ(histogram.summary().sum_ns, int64_t{0});
    histogram.add(INT64_MAX);
    CHECK_EQ(histogram.summary().max_ns, INT64_MAX);
    CHECK(histogram.summary().p99_ns >= int64_t{1} << 41);
}

/* Statistics are cheap enough to be always on: counting a task allocates nothing, their size does not depend on the
 * tasks counted, and reading them allocates nothing. */
TEST(statistics_allocate_nothing) {
    Stages stages;
    ezr_stage_stats summary[EZR_STAGES];
    const int before = allocations;
    for (int64_t i = 0; i < 100'000; ++i) {
        ezr_result result{};
        result.started_ns = i * i;
        result.finished_ns = result.npu_ns = result.input_ns = 2 * result.started_ns;
        stages.add(result);
    }
    stages.summarise(summary);
    CHECK_EQ(allocations, before);
    CHECK_EQ(summary[EZR_STAGE_TOTAL].count, 100'000U);
    ::operator delete(::operator new(1));
    CHECK_EQ(allocations, before + 1);  // allocations are counted
}

/* The stages are the differences of a result's times, of all tasks that succeeded and of no others. */
TEST(stages_are_those_of_the_results) {
    FakeRuntime runtime;
    TestEngine engine({1, 1, {0}});
    int64_t sums[EZR_STAGES] = {}, largest[EZR_STAGES] = {};
    const auto note = [&](int stage, int64_t ns) {
        sums[stage] += ns;
        largest[stage] = std::max(largest[stage], ns);
    };
    for (int i = 0; i < 10; ++i) {
        Job job;
        ezr_result result{};
        if (i % 2 == 0) CHECK_EQ(ezr_run(engine, job, -1, 0, &result), EZR_OK);
        if (i % 2 == 1) {
            ezr_submit(engine, job, 0);
            result = next(engine);
        }
        note(EZR_STAGE_QUEUE, result.started_ns - result.submitted_ns);
        note(EZR_STAGE_INPUT, result.input_ns - result.started_ns);
        note(EZR_STAGE_NPU, result.npu_ns - result.input_ns);
        note(EZR_STAGE_OUTPUT, result.finished_ns - result.npu_ns);
        note(EZR_STAGE_TOTAL, result.finished_ns - result.submitted_ns);
    }
    runtime.fail(EZR_CALL_RUN, Failure::code, RKNN_ERR_FAIL);
    Job failing;
    ezr_result result{};
    CHECK_EQ(ezr_run(engine, failing, -1, 0, &result), EZR_OK);

    ezr_stage_stats stages[EZR_STAGES];
    ezr_group_stats group;
    ezr_stats(engine, &group, stages);
    for (int stage = 0; stage < EZR_STAGES; ++stage) {
        CHECK_EQ(stages[stage].count, 10U);
        CHECK_EQ(stages[stage].sum_ns, sums[stage]);
        CHECK_EQ(stages[stage].max_ns, largest[stage]);
        CHECK(stages[stage].p50_ns <= stages[stage].p90_ns && stages[stage].p90_ns <= stages[stage].p99_ns);
        CHECK(stages[stage].p99_ns <= stages[stage].max_ns);
    }
    CHECK_EQ(group.completed, 10U);
    CHECK_EQ(group.failed, 1U);
    CHECK(group.busy_ns > 0);
}

/* Resetting forgets the past, but neither waiting nor running tasks. */
TEST(resetting_forgets_the_past_only) {
    FakeRuntime runtime;
    TestEngine engine({1, 1, {0}});
    Job done, running, queued;
    ezr_result result{};
    CHECK_EQ(ezr_run(engine, done, -1, 0, &result), EZR_OK);
    runtime.occupy(engine, running);
    ezr_submit(engine, queued, 0);
    ezr_reset_stats(engine);
    ezr_stage_stats stages[EZR_STAGES];
    ezr_group_stats group;
    ezr_stats(engine, &group, stages);
    for (const ezr_stage_stats &stage : stages) {
        CHECK_EQ(stage.count, 0U);
        CHECK_EQ(stage.max_ns, int64_t{0});
    }
    CHECK_EQ(group.completed, 0U);
    CHECK_EQ(group.busy_ns, int64_t{0});
    CHECK_EQ(group.queued, 1U);
    CHECK_EQ(group.running, 1U);
    runtime.let_go(context_of(0));
    for (size_t i = 0; i < 2; ++i) next(engine);
    CHECK_EQ(stats_of(engine).completed, 2U);
    ezr_stats(engine, nullptr, nullptr);
}

/* Counts allocations. Not inlined: GCC then takes malloc and delete for a mismatched pair, and warns. */
__attribute__((noinline)) void *operator new(std::size_t size) {
    ++allocations;
    void *memory = std::malloc(size);
    if (memory == nullptr) throw std::bad_alloc();
    return memory;
}

__attribute__((noinline)) void operator delete(void *memory) noexcept {
    std::free(memory);
}

__attribute__((noinline)) void operator delete(void *memory, std::size_t) noexcept {
    std::free(memory);
}
