/* SPDX-License-Identifier: Apache-2.0 */
/* Faults: calls that fail, take longer, hang, or lose the device, because the settings say so. */
#include <signal.h>

#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "ez_rknn_simulator.h"
#include "rknnrt/abi/call.h"
#include "rknnrt/base/wait.h"
#include "rknnrt/context/process.h"
#include "tests/check.h"
#include "tests/simulator/support.h"

using namespace ez_rknn::tests;
using namespace ez_rknn::rknnrt;

namespace {

std::string refusal(const std::string &settings) {
    CHECK_EQ(ez_rknn_simulator_configure(settings.c_str()), RKNN_ERR_PARAM_INVALID);
    return ez_rknn_last_error();
}

bool has(const std::string &text, const std::string &part) {
    return text.find(part) != std::string::npos;
}

/* The return codes of `count` runs. */
std::vector<int> runs(rknn_context context, int count) {
    std::vector<int> codes;
    for (int i = 0; i < count; ++i) codes.push_back(rknn_run(context, nullptr));
    return codes;
}

std::string listed(const std::vector<int> &codes) {
    std::string text;
    for (int code : codes) text += std::to_string(code) + " ";
    return text;
}

/* A call of each function of the interface that has a context, with arguments that it would otherwise refuse. */
struct Function {
    const char *name;
    int (*call)(rknn_context context);
};
int code_of(const rknn_tensor_mem *memory) {
    return memory == nullptr ? RKNN_ERR_FAIL : RKNN_SUCC;
}

const Function functions[] = {
    {"rknn_dup_context",
     [](rknn_context context) {
         rknn_context copy = 0;
         return rknn_dup_context(&context, &copy);
     }},
    {"rknn_query", [](rknn_context context) { return rknn_query(context, RKNN_QUERY_IN_OUT_NUM, nullptr, 0); }},
    {"rknn_inputs_set", [](rknn_context context) { return rknn_inputs_set(context, 0, nullptr); }},
    {"rknn_set_batch_core_num", [](rknn_context context) { return rknn_set_batch_core_num(context, 1); }},
    {"rknn_set_core_mask", [](rknn_context context) { return rknn_set_core_mask(context, RKNN_NPU_CORE_0); }},
    {"rknn_run", [](rknn_context context) { return rknn_run(context, nullptr); }},
    {"rknn_wait", [](rknn_context context) { return rknn_wait(context, nullptr); }},
    {"rknn_outputs_get", [](rknn_context context) { return rknn_outputs_get(context, 0, nullptr, nullptr); }},
    {"rknn_outputs_release", [](rknn_context context) { return rknn_outputs_release(context, 0, nullptr); }},
    {"rknn_create_mem", [](rknn_context context) { return code_of(rknn_create_mem(context, 16)); }},
    {"rknn_create_mem2", [](rknn_context context) { return code_of(rknn_create_mem2(context, 16, 0)); }},
    {"rknn_create_mem_from_fd",
     [](rknn_context context) { return code_of(rknn_create_mem_from_fd(context, -1, nullptr, 16, 0)); }},
    {"rknn_create_mem_from_phys",
     [](rknn_context context) { return code_of(rknn_create_mem_from_phys(context, 0, nullptr, 16)); }},
    {"rknn_create_mem_from_mb_blk",
     [](rknn_context context) { return code_of(rknn_create_mem_from_mb_blk(context, nullptr, 0)); }},
    {"rknn_destroy_mem", [](rknn_context context) { return rknn_destroy_mem(context, nullptr); }},
    {"rknn_mem_sync", [](rknn_context context) { return rknn_mem_sync(context, nullptr, RKNN_MEMORY_SYNC_TO_DEVICE); }},
    {"rknn_set_io_mem", [](rknn_context context) { return rknn_set_io_mem(context, nullptr, nullptr); }},
    {"rknn_set_weight_mem", [](rknn_context context) { return rknn_set_weight_mem(context, nullptr); }},
    {"rknn_set_internal_mem", [](rknn_context context) { return rknn_set_internal_mem(context, nullptr); }},
    {"rknn_set_input_shape", [](rknn_context context) { return rknn_set_input_shape(context, nullptr); }},
    {"rknn_set_input_shapes", [](rknn_context context) { return rknn_set_input_shapes(context, 0, nullptr); }},
    {"rknn_register_custom_ops", [](rknn_context context) { return rknn_register_custom_ops(context, nullptr, 0); }},
};

}  // namespace

TEST(rejects_invalid_faults_with_a_clear_message) {
    for (const char *wrong : {"",
                              "rknn_run",
                              "rknn_run:",
                              "rknn_run:explode",
                              "rknn_run:fail",
                              "rknn_run:fail=",
                              "rknn_run:fail=0",
                              "rknn_run:fail=1",
                              "rknn_run:fail=-10000",
                              "rknn_run:fail=-1x",
                              "rknn_run:fail=-1.5",
                              "rknn_run:delay=-1",
                              "rknn_run:delay=3600000001",
                              "rknn_run:delay=",
                              "rknn_run:hang=1",
                              "rknn_run#0:hang",
                              "rknn_run#:hang",
                              "rknn_run#-1:hang",
                              "rknn_run#two:hang",
                              "rknn_run#every:hang",
                              "rknn_run#every0:hang",
                              "rknn_run#1x:hang",
                              "rknn_run@:hang",
                              "rknn_run@1:hang",
                              "rknn_run@core:hang",
                              "rknn_run@core3:hang",
                              "rknn_run@core-1:hang",
                              "rknn_run@core 1:hang",
                              "rknn_run#1@core1:hang",
                              "rknn_jump:hang",
                              "run:hang",
                              ":hang",
                              "rknn_init@core0:hang",
                              "rknn_dup_context@core0:hang"}) {
        const std::string reason = refusal(std::string("fault=") + wrong);
        CHECK(has(reason, std::string("fault '") + wrong + "' is not FUNCTION[@coreN][#N|#everyN]:ACTION: "));
    }
    CHECK(has(refusal("fault=rknn_jump:hang"), "there is no function 'rknn_jump'; use one of rknn_init, "));
    CHECK(has(refusal("fault=rknn_run:explode"), "is not fail=CODE, delay=MICROSECONDS, hang or lose"));
    CHECK(has(refusal("fault=rknn_run#0:hang"), "'0' is not a whole number from 1"));
    CHECK(has(refusal("fault=rknn_init@core0:hang"), "has no core yet when rknn_init is called"));
    CHECK(!Fault::any());
}

TEST(the_third_call_fails_with_the_code_and_says_why) {
    const TestContext context(model_path("tiny_conv_int8"), "compute=off,fault=rknn_run#3:fail=-2");
    CHECK_EQ(listed(runs(context, 5)), "0 0 -2 0 0 ");
    CHECK_EQ(listed(runs(context, 1)), "0 ");
    const TestContext other(model_path("tiny_conv_int8"), "compute=off,fault=rknn_run#1:fail=-2");
    rknn_run(other, nullptr);
    CHECK(has(ez_rknn_last_error(), "fault=rknn_run#1:fail=-2"));
}

TEST(every_third_call_fails) {
    const TestContext context(model_path("tiny_conv_int8"), "compute=off,fault=rknn_run#every3:fail=-1");
    CHECK_EQ(listed(runs(context, 7)), "0 0 -1 0 0 -1 0 ");
}

TEST(several_faults_each_count_every_call) {
    const TestContext context(model_path("tiny_conv_int8"),
                              "compute=off,fault=rknn_run#1:fail=-1,fault=rknn_run#2:fail=-2,fault=rknn_run#4:fail=-4");
    CHECK_EQ(listed(runs(context, 5)), "-1 -2 0 -4 0 ");
}

TEST(only_the_named_core_has_the_fault) {
    const TestContext context(model_path("tiny_conv_int8"), "compute=off,fault=rknn_run@core1:fail=-1");
    CHECK_EQ(listed(runs(context, 1)), "0 ");  // tied to no core
    for (const auto &[mask, code] : {std::pair{1, 0}, {2, -1}, {4, 0}}) {
        CHECK_EQ(rknn_set_core_mask(context, static_cast<rknn_core_mask>(mask)), RKNN_SUCC);
        CHECK_EQ(rknn_run(context, nullptr), code);
    }
}

TEST(a_fault_of_setting_a_core_mask_applies_to_the_cores_in_the_mask) {
    const TestContext context(model_path("tiny_conv_int8"), "compute=off,fault=rknn_set_core_mask@core2:fail=-13");
    CHECK_EQ(rknn_set_core_mask(context, RKNN_NPU_CORE_1), RKNN_SUCC);
    CHECK_EQ(rknn_set_core_mask(context, RKNN_NPU_CORE_2), RKNN_ERR_TARGET_PLATFORM_UNMATCH);
    CHECK_EQ(rknn_set_core_mask(context, RKNN_NPU_CORE_AUTO), RKNN_SUCC);
}

TEST(the_one_core_of_a_small_soc_needs_no_core_mask) {
    const TestContext context(model_path("rk3562_conv_int8"), "compute=off,fault=rknn_run@core0:fail=-1");
    CHECK_EQ(listed(runs(context, 1)), "-1 ");
}

TEST(rejects_settings_for_a_core_that_the_soc_lacks) {
    for (const char *settings : {"compute=off,slowdown=2:10", "compute=off,fault=rknn_run@core2:hang"}) {
        const TestContext context(model_path("rk3562_conv_int8"), settings);
        CHECK_EQ(context.code, RKNN_ERR_PARAM_INVALID);
        CHECK(has(ez_rknn_last_error(), "names core 2, but rk3562 has only core 0"));
    }
    const TestContext context(model_path("tiny_conv_int8"), "compute=off,slowdown=2:10,fault=rknn_run@core2#9:hang");
    CHECK_EQ(context.code, RKNN_SUCC);
}

TEST(every_function_meets_its_faults) {
    for (const Function &function : functions) {
        const std::string settings = std::string("compute=off,fault=") + function.name + ":fail=-1234";
        const TestContext context(model_path("tiny_conv_int8"), settings);
        CHECK_EQ(context.code, RKNN_SUCC);
        const int code = function.call(context);
        CHECK(code == -1234 || (code == RKNN_ERR_FAIL && has(function.name, "_mem")));
        CHECK(has(ez_rknn_last_error(), std::string("fault=") + function.name));
    }
    const TestContext none(model_path("tiny_conv_int8"), "compute=off,fault=rknn_init:fail=-1234");
    CHECK_EQ(none.code, -1234);
    const TestContext context(model_path("tiny_conv_int8"), "compute=off,fault=rknn_destroy#1:fail=-1234");
    CHECK_EQ(rknn_destroy(context), -1234);
}

TEST(creating_the_second_context_can_fail) {
    const char *settings = "compute=off,fault=rknn_init#2:fail=-4";
    const TestContext first(model_path("tiny_conv_int8"), settings);
    CHECK_EQ(first.code, RKNN_SUCC);
    CHECK_EQ(ez_rknn_simulator_contexts(), 1U);
    const TestContext second(model_path("tiny_conv_int8"), settings);
    CHECK_EQ(second.code, RKNN_ERR_MALLOC_FAIL);
    CHECK_EQ(ez_rknn_simulator_contexts(), 1U);
}

TEST(a_fault_counts_from_zero_once_it_is_no_longer_set) {
    for (int session = 0; session < 2; ++session) {
        const TestContext context(model_path("tiny_conv_int8"), "compute=off,fault=rknn_run#2:fail=-1");
        CHECK_EQ(ez_rknn_simulator_configure(""), RKNN_SUCC);
        CHECK_EQ(listed(runs(context, 3)), "0 -1 0 ");
    }
    CHECK(!Fault::any());
}

TEST(contexts_with_another_counter_count_apart) {
    const TestContext first(model_path("tiny_conv_int8"), "compute=off,fault=rknn_run#2:fail=-1,counter=one");
    const TestContext second(model_path("tiny_conv_int8"), "compute=off,counter=other,fault=rknn_run#2:fail=-1");
    const TestContext third(model_path("tiny_conv_int8"), "fault=rknn_run#2:fail=-1,compute=off,counter=other");
    CHECK_EQ(listed(runs(first, 1)), "0 ");
    CHECK_EQ(listed(runs(second, 1)), "0 ");
    CHECK_EQ(listed(runs(first, 2)), "-1 0 ");
    CHECK_EQ(listed(runs(third, 2)), "-1 0 ");
}

TEST(a_fault_in_the_environment_counts_over_all_contexts) {
    setenv("EZ_RKNN_SIMULATOR", "compute=off,fault=rknn_init#3:fail=-6", 1);
    for (int code : {0, 0, -6, 0}) CHECK_EQ(TestContext(model_path("tiny_conv_int8"), "").code, code);
    unsetenv("EZ_RKNN_SIMULATOR");
}

TEST(a_delayed_call_does_its_work_after_the_delay) {
    const TestContext context(model_path("tiny_conv_int8"), "compute=off,fault=rknn_run#2:delay=30000");
    const int64_t begin = now_ns();
    CHECK_EQ(listed(runs(context, 2)), "0 0 ");
    CHECK(now_ns() - begin >= 30000000);
}

TEST(a_call_hangs_until_it_is_released_and_other_contexts_still_run) {
    const TestContext stuck(model_path("tiny_conv_int8"), "compute=off,fault=rknn_run@core0#1:hang");
    const TestContext other(model_path("tiny_conv_int8"), "compute=off");
    for (rknn_context context : {rknn_context{stuck}, rknn_context{other}}) {
        CHECK_EQ(rknn_set_core_mask(context, RKNN_NPU_CORE_0), RKNN_SUCC);
    }
    CHECK_EQ(ez_rknn_simulator_release_hangs(), 0U);
    std::atomic<bool> returned{false};
    std::thread caller([&] {
        CHECK_EQ(rknn_run(stuck, nullptr), RKNN_SUCC);
        returned = true;
    });
    CHECK_EQ(listed(runs(other, 3)), "0 0 0 ");
    CHECK(!returned);
    while (ez_rknn_simulator_release_hangs() == 0) std::this_thread::yield();
    caller.join();
    CHECK_EQ(listed(runs(stuck, 1)), "0 ");
}

TEST(losing_the_device_fails_its_contexts_and_the_next_one_gets_a_new_device) {
    setenv("EZ_RKNN_PYTHON", EZ_RKNN_FAKE_DEVICE_PATH, 1);
    setenv("EZ_RKNN_FAKE_DEVICE", "", 1);
    {
        const TestContext context(model_path("tiny_conv_int8"), "fault=rknn_run#2:lose");
        CHECK_EQ(context.code, RKNN_SUCC);
        const int before = ez_rknn_simulator_device_pid();
        CHECK(before > 0);
        CHECK_EQ(listed(runs(context, 3)), "0 -3 -3 ");
        CHECK(has(ez_rknn_last_error(), "was killed by signal 9; create the context again"));
        CHECK_EQ(kill(before, 0), -1);  // it has not just been told to exit: it has exited
        CHECK_EQ(ez_rknn_simulator_device_pid(), 0);
    }
    const TestContext fresh(model_path("tiny_conv_int8"), "");
    CHECK_EQ(listed(runs(fresh, 1)), "0 ");
}

TEST(rejects_losing_the_device_with_compute_off) {
    const TestContext context(model_path("tiny_conv_int8"), "compute=off,fault=rknn_run:lose");
    CHECK_EQ(context.code, RKNN_ERR_PARAM_INVALID);
    CHECK(has(ez_rknn_last_error(), "with compute=off there is none"));
}
