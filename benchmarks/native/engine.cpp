/* SPDX-License-Identifier: Apache-2.0 */
/* The engine's overhead per inference, with a runtime whose calls do nothing: ezr_engine_bench. */
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <thread>
#include <vector>

#include "ez_rknn_engine.h"

namespace {

ezr_runtime instant_runtime() {
    ezr_runtime runtime{};
    runtime.inputs_set = [](rknn_context, uint32_t, rknn_input *) { return RKNN_SUCC; };
    runtime.run = [](rknn_context, rknn_run_extend *) { return RKNN_SUCC; };
    runtime.outputs_get = [](rknn_context, uint32_t, rknn_output *, rknn_output_extend *) { return RKNN_SUCC; };
    runtime.outputs_release = [](rknn_context, uint32_t, rknn_output *) { return RKNN_SUCC; };
    return runtime;
}

ezr_engine *create(const std::vector<ezr_worker> &workers, const std::vector<uint32_t> &routes) {
    ezr_config config{};
    config.runtime = instant_runtime();
    config.workers = workers.data();
    config.worker_count = static_cast<uint32_t>(workers.size());
    config.group_count = workers.back().group + 1;
    config.routes = routes.data();
    config.route_count = static_cast<uint32_t>(routes.size());
    config.queue_capacity = config.completion_capacity = 64;
    config.ordered = 1;
    ezr_engine *engine = nullptr;
    if (ezr_create(&config, &engine) != EZR_OK) std::puts("no engine");
    return engine;
}

/* Returns the nanoseconds per call in the best of several rounds. */
template <typename Function>
double nanoseconds_per_call(Function function) {
    constexpr int rounds = 20, call_count = 10'000;
    double best = 0;
    for (int round = 0; round < rounds; ++round) {
        const auto start = std::chrono::steady_clock::now();
        for (int i = 0; i < call_count; ++i) function();
        const std::chrono::duration<double, std::nano> elapsed = std::chrono::steady_clock::now() - start;
        const double each = elapsed.count() / call_count;
        best = round == 0 ? each : std::min(best, each);
    }
    return best;
}

}  // namespace

int main() {
    int number = 0;
    rknn_input input{};
    input.buf = &number;
    rknn_output output{};
    output.is_prealloc = 1;
    output.buf = &number;
    ezr_task task{};
    task.inputs = &input;
    task.outputs = &output;
    task.input_count = task.output_count = 1;
    ezr_result result{};

    ezr_engine *engine = create({{1, 0}}, {0});
    std::printf("ezr_run, idle context            %8.0f ns\n",
                nanoseconds_per_call([&] { ezr_run(engine, &task, -1, 0, &result); }));
    std::printf("ezr_submit + ezr_next_completion %8.0f ns, one at a time\n", nanoseconds_per_call([&] {
                    ezr_submit(engine, &task, -1);
                    ezr_next_completion(engine, -1, &result);
                }));
    ezr_destroy(engine, -1, nullptr, 0);

    engine = create({{1, 0}, {2, 1}, {3, 2}}, {0, 1, 2});
    std::thread collector([engine] {
        ezr_result collected;
        while (ezr_next_completion(engine, -1, &collected) == EZR_OK) continue;
    });
    std::printf("ezr_submit, three cores, a stream%8.0f ns\n",
                nanoseconds_per_call([&] { ezr_submit(engine, &task, -1); }));
    ezr_close(engine, 0);
    collector.join();
    ezr_destroy(engine, -1, nullptr, 0);
}
