/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of EZ_RKNN_SIMULATOR and ez_rknn_simulator_configure. */
#include <clocale>
#include <cstdlib>
#include <locale>
#include <memory>
#include <string>
#include <thread>

#include "devices/simulated/settings.h"
#include "ez_rknn_simulator.h"
#include "rknn_abi.h"
#include "rknnrt/base/status.h"
#include "rknnrt/context/process.h"
#include "tests/check.h"
#include "tests/simulator/support.h"

using namespace ez_rknn::tests;
using namespace ez_rknn::rknnrt;
using namespace ez_rknn::rknnrt::simulated;

namespace {

/* Sets the environment variable while this lives. */
struct Environment {
    explicit Environment(const char *value) { setenv("EZ_RKNN_SIMULATOR", value, 1); }
    ~Environment() { unsetenv("EZ_RKNN_SIMULATOR"); }
};

SimulatedSettings of_device(const Settings &settings) {
    return static_cast<const SimulatedSettings &>(*settings.device);
}

SimulatedSettings read(const std::string &text) {
    FaultRegistry faults;
    return of_device(Settings(std::make_unique<SimulatedSettings>()).with(text, faults));
}

/* The settings of a context that this thread creates now. */
SimulatedSettings current() {
    return of_device(current_settings(*process_state().device, process_state().faults));
}

}  // namespace

TEST(every_setting_is_read) {
    const SimulatedSettings settings =
        read(" soc=rk3576, timing = fixed:1500 ,compute=off,slowdown=0:10,slowdown=1:2.5,");
    CHECK_EQ(std::string(settings.soc->name), "rk3576");
    CHECK(settings.timing == Timing::fixed);
    CHECK_EQ(settings.fixed_ns, 1500000);
    CHECK(!settings.compute);
    CHECK_EQ(settings.slowdown[0], 10);
    CHECK_EQ(settings.slowdown[1], 2.5);
    CHECK_EQ(settings.slowdown[2], 1);
    CHECK(read("timing=modelled").timing == Timing::modelled);
}

/* A program with a user interface may set one with a decimal comma, in C or in C++. */
TEST(numbers_are_the_same_in_every_locale) {
    struct Comma : std::numpunct<char> {
        char do_decimal_point() const override { return ','; }
    };
    const std::locale before = std::locale::global(std::locale(std::locale::classic(), new Comma));
    std::setlocale(LC_NUMERIC, "de_DE.UTF-8");  // not on every machine
    const SimulatedSettings settings = read("timing=fixed:0.5,slowdown=1:2.5");
    const std::string text = text_of(2.5);
    std::setlocale(LC_NUMERIC, "C");
    std::locale::global(before);
    CHECK_EQ(text, "2.5");
    CHECK_EQ(settings.fixed_ns, 500);
    CHECK_EQ(settings.slowdown[1], 2.5);
}

TEST(a_wrong_setting_is_named_and_changes_nothing) {
    for (const char *wrong :
         {"soc=rk9999", "timing=fast", "timing=fixed:", "timing=fixed:-1", "timing=fixed:nan", "timing=fixed:1e30",
          "compute=maybe", "slowdown=3:2", "slowdown=0:0", "slowdown=0", "slowdown=0.5:2", "colour=red", "compute"}) {
        CHECK_EQ(ez_rknn_simulator_configure(wrong), RKNN_ERR_PARAM_INVALID);
        CHECK(std::string(ez_rknn_last_error()) != "");
    }
    CHECK(current().compute);
    CHECK_EQ(ez_rknn_simulator_configure(nullptr), RKNN_SUCC);
    CHECK_EQ(std::string(ez_rknn_last_error()), "");
}

TEST(a_thread_s_settings_override_the_environment_s) {
    const Environment environment("compute=off,timing=fixed:10");
    CHECK_EQ(ez_rknn_simulator_configure("timing=fixed:20"), RKNN_SUCC);
    CHECK_EQ(current().fixed_ns, 20000);
    CHECK(!current().compute);
    std::thread([] { CHECK_EQ(current().fixed_ns, 10000); }).join();
    CHECK_EQ(ez_rknn_simulator_configure(""), RKNN_SUCC);
    CHECK_EQ(current().fixed_ns, 10000);
}

TEST(a_wrong_environment_fails_rknn_init_with_a_reason) {
    const Environment environment("timing=never");
    const TestContext context(model_path("tiny_conv_int8"), "");
    CHECK_EQ(context.code, RKNN_ERR_PARAM_INVALID);
    CHECK(std::string(ez_rknn_last_error()).find("EZ_RKNN_SIMULATOR") != std::string::npos);
}
