/* SPDX-License-Identifier: Apache-2.0 */
/* Computing in the device process, and losing it. */
#include <dirent.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "ez_rknn_simulator.h"
#include "tests/check.h"
#include "tests/simulator/support.h"

using namespace ez_rknn::tests;

namespace {

constexpr const char *compute = "compute=on";

/* Sets the behaviour of the next device process, and ends the one that runs, so that there is a next one. */
void use_fake_device(const char *mode) {
    const int pid = ez_rknn_simulator_device_pid();
    if (pid != 0) kill(pid, SIGKILL);
    while (ez_rknn_simulator_device_pid() != 0) std::this_thread::yield();
    setenv("EZ_RKNN_PYTHON", EZ_RKNN_FAKE_DEVICE_PATH, 1);
    setenv("EZ_RKNN_FAKE_DEVICE", mode, 1);
}

bool last_error_has(const char *text) {
    return std::strstr(ez_rknn_last_error(), text) != nullptr;
}

/* Sets all pixels to `value`, runs, and returns what rknn_run returned. */
int run_with(rknn_context context, uint8_t value) {
    std::vector<uint8_t> image(attribute(context, RKNN_QUERY_INPUT_ATTR).n_elems, value);
    rknn_input input = pixels(image);
    CHECK_EQ(rknn_inputs_set(context, 1, &input), RKNN_SUCC);
    return rknn_run(context, nullptr);
}

std::vector<uint8_t> native_output(rknn_context context) {
    rknn_output output{};
    CHECK_EQ(rknn_outputs_get(context, 1, &output, nullptr), RKNN_SUCC);
    std::vector<uint8_t> bytes(static_cast<uint8_t *>(output.buf), static_cast<uint8_t *>(output.buf) + output.size);
    CHECK_EQ(rknn_outputs_release(context, 1, &output), RKNN_SUCC);
    return bytes;
}

int open_sockets() {
    int count = 0;
    DIR *listing = opendir("/proc/self/fd");
    while (const dirent *entry = readdir(listing)) {
        char target[64] = {};
        const std::string path = std::string("/proc/self/fd/") + entry->d_name;
        if (readlink(path.c_str(), target, sizeof target - 1) > 0 && std::strncmp(target, "socket:", 7) == 0) ++count;
    }
    closedir(listing);
    return count;
}

}  // namespace

TEST(the_device_gets_the_inputs_and_its_outputs_come_back) {
    use_fake_device("");
    const TestContext context(model_path("tiny_conv_fp16"), compute);
    CHECK_EQ(context.code, RKNN_SUCC);
    CHECK(ez_rknn_simulator_device_pid() > 0);
    CHECK_EQ(run_with(context, 1), RKNN_SUCC);
    // 1.0 as a half is 0x3C00: its first byte is 0.
    CHECK(native_output(context) == std::vector<uint8_t>(attribute(context, RKNN_QUERY_OUTPUT_ATTR).size, 0x00));
    CHECK_EQ(run_with(context, 255), RKNN_SUCC);
    // 255.0 is 0x5BF8.
    CHECK(native_output(context) == std::vector<uint8_t>(attribute(context, RKNN_QUERY_OUTPUT_ATTR).size, 0xF8));
}

TEST(a_batch_is_run_one_inference_at_a_time) {
    use_fake_device("");
    const TestContext context(model_path("batch4_fp16"), compute);
    CHECK_EQ(context.code, RKNN_SUCC);
    const rknn_tensor_attr attr = attribute(context, RKNN_QUERY_INPUT_ATTR);
    CHECK_EQ(attr.dims[0], 4U);
    std::vector<uint8_t> images(attr.n_elems);
    for (size_t i = 0; i < images.size(); ++i) images[i] = static_cast<uint8_t>(251 + i / (images.size() / 4));
    rknn_input input = pixels(images);
    CHECK_EQ(rknn_inputs_set(context, 1, &input), RKNN_SUCC);
    ez_rknn_simulator_reset_counters();
    CHECK_EQ(rknn_run(context, nullptr), RKNN_SUCC);
    uint64_t runs = 0;
    for (uint32_t core = 0; core < 3; ++core) {
        ez_rknn_core_counters counters{};
        CHECK_EQ(ez_rknn_simulator_counters("rk3588", core, &counters), RKNN_SUCC);
        runs += counters.runs;
    }
    CHECK_EQ(runs, 4U);
    const std::vector<uint8_t> output = native_output(context);
    for (size_t image = 0; image < 4; ++image) {
        // 251.0 is 0x5BD8, and each whole number more adds 8.
        CHECK_EQ(int{output[image * output.size() / 4]}, static_cast<int>(0xD8 + 8 * image));
    }
}

TEST(three_threads_run_three_contexts_of_one_model) {
    use_fake_device("");
    const TestContext first(model_path("tiny_conv_fp16"), compute);
    CHECK_EQ(first.code, RKNN_SUCC);
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) {
        threads.emplace_back([&first, i] {
            rknn_context original = first;
            rknn_context context = 0;
            CHECK_EQ(rknn_dup_context(&original, &context), RKNN_SUCC);
            CHECK_EQ(rknn_set_core_mask(context, static_cast<rknn_core_mask>(1 << i)), RKNN_SUCC);
            for (int round = 0; round < 50; ++round) {
                CHECK_EQ(run_with(context, static_cast<uint8_t>(252 + i)), RKNN_SUCC);
                CHECK_EQ(int{native_output(context)[0]}, 0xE0 + 8 * i);
            }
            CHECK_EQ(rknn_destroy(context), RKNN_SUCC);
        });
    }
    for (std::thread &thread : threads) thread.join();
}

TEST(the_error_quotes_a_process_that_dies_at_start) {
    use_fake_device("die_at_start");
    const TestContext context(model_path("tiny_conv_fp16"), compute);
    CHECK_EQ(context.code, RKNN_ERR_DEVICE_UNAVAILABLE);
    CHECK(last_error_has("No module named ez_rknn_async"));
    CHECK(last_error_has("status 1"));
}

TEST(a_missing_interpreter_is_named) {
    use_fake_device("");
    setenv("EZ_RKNN_PYTHON", "/nowhere/python", 1);
    const TestContext context(model_path("tiny_conv_fp16"), compute);
    CHECK_EQ(context.code, RKNN_ERR_DEVICE_UNAVAILABLE);
    CHECK(last_error_has("/nowhere/python"));
}

TEST(a_reason_instead_of_a_greeting_becomes_the_error) {
    use_fake_device("refuse_start");
    const TestContext context(model_path("tiny_conv_fp16"), compute);
    CHECK_EQ(context.code, RKNN_ERR_DEVICE_UNAVAILABLE);
    CHECK(last_error_has("cannot start: it computes with frobnicate"));
    CHECK(!last_error_has("last words"));
}

TEST(rejects_a_program_that_says_something_else) {
    use_fake_device("other_program");
    const TestContext context(model_path("tiny_conv_fp16"), compute);
    CHECK_EQ(context.code, RKNN_ERR_DEVICE_UNAVAILABLE);
    CHECK(last_error_has("is not a Python with ez_rknn_async"));
}

TEST(a_device_process_gets_no_device_process_of_its_own) {
    use_fake_device("");
    setenv("EZ_RKNN_DEVICE_PROCESS", "1", 1);
    const TestContext context(model_path("tiny_conv_fp16"), compute);
    unsetenv("EZ_RKNN_DEVICE_PROCESS");
    CHECK_EQ(context.code, RKNN_ERR_DEVICE_UNAVAILABLE);
    CHECK(last_error_has("was started to be the device process of another one"));
}

TEST(another_protocol_is_refused) {
    use_fake_device("other_protocol");
    const TestContext context(model_path("tiny_conv_fp16"), compute);
    CHECK_EQ(context.code, RKNN_ERR_DEVICE_UNAVAILABLE);
    CHECK(last_error_has("protocol"));
}

TEST(rknn_init_gives_the_device_s_reason_for_refusing_a_model) {
    use_fake_device("refuse_load");
    const TestContext context(model_path("tiny_conv_fp16"), compute);
    CHECK_EQ(context.code, RKNN_ERR_MODEL_INVALID);
    CHECK(last_error_has("Frobnicate"));
    CHECK(ez_rknn_simulator_device_pid() != 0);
}

TEST(a_device_that_dies_while_loading_is_unavailable) {
    use_fake_device("die_in_load");
    const TestContext context(model_path("tiny_conv_fp16"), compute);
    CHECK_EQ(context.code, RKNN_ERR_DEVICE_UNAVAILABLE);
    CHECK(last_error_has("signal 9"));
}

TEST(a_device_that_dies_during_a_run_is_unavailable_and_the_next_context_gets_a_new_one) {
    use_fake_device("die_in_run");
    const TestContext context(model_path("tiny_conv_fp16"), compute);
    const int first = ez_rknn_simulator_device_pid();
    CHECK_EQ(run_with(context, 0), RKNN_ERR_DEVICE_UNAVAILABLE);
    CHECK(last_error_has("signal 9"));
    CHECK_EQ(run_with(context, 0), RKNN_ERR_DEVICE_UNAVAILABLE);
    CHECK_EQ(ez_rknn_simulator_device_pid(), 0);
    CHECK_EQ(kill(first, 0), -1);  // it was collected
    use_fake_device("");
    const TestContext next(model_path("tiny_conv_fp16"), compute);
    CHECK_EQ(next.code, RKNN_SUCC);
    CHECK(ez_rknn_simulator_device_pid() != first);
    CHECK_EQ(run_with(next, 0), RKNN_SUCC);
    CHECK_EQ(run_with(context, 0), RKNN_ERR_DEVICE_UNAVAILABLE);
}

TEST(a_device_that_is_killed_fails_every_context_and_no_signal_arrives) {
    use_fake_device("");
    const TestContext one(model_path("tiny_conv_fp16"), compute);
    const TestContext two(model_path("tiny_conv_int8"), compute);
    kill(ez_rknn_simulator_device_pid(), SIGKILL);
    while (ez_rknn_simulator_device_pid() != 0) std::this_thread::yield();
    CHECK_EQ(run_with(one, 0), RKNN_ERR_DEVICE_UNAVAILABLE);
    CHECK_EQ(run_with(two, 0), RKNN_ERR_DEVICE_UNAVAILABLE);
    rknn_context original = one;
    rknn_context duplicate = 0;
    CHECK_EQ(rknn_dup_context(&original, &duplicate), RKNN_ERR_DEVICE_UNAVAILABLE);
}

TEST(a_closed_channel_is_a_lost_device) {
    use_fake_device("close_channel");
    const TestContext context(model_path("tiny_conv_fp16"), compute);
    CHECK_EQ(run_with(context, 0), RKNN_ERR_DEVICE_UNAVAILABLE);
}

TEST(a_failed_run_is_reported_and_the_device_stays) {
    use_fake_device("fail_run");
    const TestContext context(model_path("tiny_conv_fp16"), compute);
    CHECK_EQ(run_with(context, 0), RKNN_ERR_FAIL);
    CHECK(last_error_has("the arithmetic went wrong"));
    CHECK(ez_rknn_simulator_device_pid() != 0);
}

TEST(nothing_is_started_with_compute_off) {
    use_fake_device("die_at_start");
    const TestContext context(model_path("tiny_conv_fp16"), "compute=off");
    CHECK_EQ(context.code, RKNN_SUCC);
    CHECK_EQ(run_with(context, 0), RKNN_SUCC);
    CHECK_EQ(ez_rknn_simulator_device_pid(), 0);
}

TEST(the_device_is_not_a_child_of_the_program) {
    use_fake_device("");
    const TestContext context(model_path("tiny_conv_fp16"), compute);
    CHECK_EQ(waitpid(-1, nullptr, WNOHANG), -1);
    CHECK_EQ(errno, ECHILD);
    kill(ez_rknn_simulator_device_pid(), SIGKILL);
    while (ez_rknn_simulator_device_pid() != 0) std::this_thread::yield();
    CHECK_EQ(waitpid(-1, nullptr, WNOHANG), -1);
    CHECK_EQ(errno, ECHILD);
    CHECK_EQ(run_with(context, 0), RKNN_ERR_DEVICE_UNAVAILABLE);
    CHECK(last_error_has("was killed by signal 9"));
}

TEST(a_stopped_device_ends_with_a_program_that_is_killed) {
    use_fake_device("");
    int ends[2];
    CHECK_EQ(pipe(ends), 0);
    const pid_t program = fork();
    if (program == 0) {
        const TestContext context(model_path("tiny_conv_fp16"), compute);
        const int device = ez_rknn_simulator_device_pid();
        kill(device, SIGSTOP);
        if (write(ends[1], &device, sizeof device) != sizeof device) _exit(1);
        pause();
    }
    int device = 0;
    CHECK_EQ(read(ends[0], &device, sizeof device), static_cast<ssize_t>(sizeof device));
    CHECK(device > 0);
    kill(program, SIGKILL);
    CHECK_EQ(waitpid(program, nullptr, 0), program);
    while (device > 0 && kill(device, 0) == 0) std::this_thread::yield();
    close(ends[0]);
    close(ends[1]);
}

TEST(a_forked_child_starts_its_own_device_and_leaves_the_parent_s_alone) {
    use_fake_device("");
    const TestContext context(model_path("tiny_conv_fp16"), compute);
    const int device = ez_rknn_simulator_device_pid();
    CHECK_EQ(run_with(context, 0), RKNN_SUCC);
    const pid_t child = fork();
    if (child == 0) {
        const int before = check::failures;
        CHECK_EQ(open_sockets(), 0);
        CHECK_EQ(rknn_run(context, nullptr), RKNN_ERR_CTX_INVALID);
        CHECK(last_error_has("fork"));
        CHECK_EQ(ez_rknn_simulator_device_pid(), 0);
        {
            const TestContext own(model_path("tiny_conv_fp16"), compute);
            CHECK_EQ(own.code, RKNN_SUCC);
            CHECK_EQ(run_with(own, 255), RKNN_SUCC);
            CHECK_EQ(int{native_output(own)[0]}, 0xF8);
            CHECK(ez_rknn_simulator_device_pid() != device);
        }
        _exit(check::failures == before ? 0 : 1);
    }
    int status = -1;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    CHECK_EQ(ez_rknn_simulator_device_pid(), device);
    CHECK_EQ(run_with(context, 255), RKNN_SUCC);
    CHECK_EQ(int{native_output(context)[0]}, 0xF8);
}
