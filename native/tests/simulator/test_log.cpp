/* SPDX-License-Identifier: Apache-2.0 */
/* Logging. Without RKNN_LOG_LEVEL the library prints nothing, even on errors: the terminal is the program's. */
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "tests/check.h"
#include "tests/simulator/support.h"

using namespace ez_rknn::tests;

namespace {

/* Returns the standard output and standard error of `action`. */
template <typename Action>
std::string printed_by(Action action) {
    std::fflush(stdout);
    const int file = memfd_create("printed", MFD_CLOEXEC);
    const int before[2] = {dup(1), dup(2)};
    dup2(file, 1);
    dup2(file, 2);
    action();
    std::fflush(stdout);
    for (const int stream : {1, 2}) {
        dup2(before[stream - 1], stream);
        close(before[stream - 1]);
    }
    std::string text(static_cast<size_t>(lseek(file, 0, SEEK_END)), '\0');
    CHECK_EQ(pread(file, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
    close(file);
    return text;
}

/* Causes an error, a refusal that returns 0 and a warning. */
void go_wrong() {
    const TestContext nothing("/nowhere/model.rknn");
    const TestContext context(model_path("tiny_conv_int8"));
    std::vector<uint8_t> data(attribute(context, RKNN_QUERY_INPUT_ATTR).n_elems);
    rknn_input input = pixels(data);
    input.fmt = RKNN_TENSOR_NCHW;
    rknn_inputs_set(context, 1, &input);
    rknn_inputs_set(context, 0, nullptr);
}

/* Destroys an original before its duplicate, and before its memory. */
void leave_things_behind() {
    TestContext original(model_path("tiny_conv_int8"));
    rknn_context duplicate = 0;
    CHECK_EQ(rknn_dup_context(&original.handle, &duplicate), RKNN_SUCC);
    rknn_tensor_mem *memory = rknn_create_mem(original, 64);
    CHECK_EQ(rknn_destroy(original), RKNN_ERR_FAIL);
    original.handle = 0;
    CHECK_EQ(rknn_destroy_mem(duplicate, memory), RKNN_SUCC);
    CHECK_EQ(rknn_destroy(duplicate), RKNN_SUCC);
}

/* Gives everything back, duplicates first. */
void leave_nothing_behind() {
    TestContext original(model_path("tiny_conv_int8"));
    rknn_context duplicate = 0;
    CHECK_EQ(rknn_dup_context(&original.handle, &duplicate), RKNN_SUCC);
    CHECK_EQ(rknn_destroy_mem(original, rknn_create_mem(original, 64)), RKNN_SUCC);
    CHECK_EQ(rknn_destroy(duplicate), RKNN_SUCC);
}

/* Writes the input without flushing it, twice. */
void forget_to_flush() {
    setenv("EZ_RKNN_PYTHON", EZ_RKNN_FAKE_DEVICE_PATH, 1);
    const TestContext context(model_path("tiny_conv_int8"), "compute=on");
    rknn_tensor_attr attr = attribute(context, RKNN_QUERY_NATIVE_INPUT_ATTR);
    attr.pass_through = 1;
    rknn_tensor_mem *memory = rknn_create_mem(context, attr.size_with_stride);
    CHECK_EQ(rknn_set_io_mem(context, memory, &attr), RKNN_SUCC);
    for (const char byte : {1, 1, 2}) {
        *static_cast<char *>(memory->virt_addr) = byte;
        CHECK_EQ(rknn_run(context, nullptr), RKNN_SUCC);
    }
    CHECK_EQ(rknn_destroy_mem(context, memory), RKNN_SUCC);
}

/* Gives a context its input in four ways, one after the other. */
void change_the_way() {
    const TestContext context(model_path("tiny_conv_int8"));
    rknn_tensor_attr attr = attribute(context, RKNN_QUERY_NATIVE_INPUT_ATTR);
    attr.type = RKNN_TENSOR_UINT8;
    rknn_tensor_mem *memory = rknn_create_mem(context, attr.size_with_stride);
    for (const uint8_t pass_through : {0, 0, 1}) {
        attr.pass_through = pass_through;
        CHECK_EQ(rknn_set_io_mem(context, memory, &attr), RKNN_SUCC);
    }
    std::vector<uint8_t> data(attr.n_elems);
    rknn_input input = pixels(data);
    for (const rknn_tensor_type type : {RKNN_TENSOR_UINT8, RKNN_TENSOR_UINT8, RKNN_TENSOR_INT8}) {
        input.type = type;
        CHECK_EQ(rknn_inputs_set(context, 1, &input), RKNN_SUCC);
    }
    CHECK_EQ(rknn_destroy_mem(context, memory), RKNN_SUCC);
}

size_t count(const std::string &text, const std::string &part) {
    size_t found = 0;
    for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
    return found;
}

std::string printed_at_level_1(void (*action)()) {
    setenv("RKNN_LOG_LEVEL", "1", 1);
    const std::string text = printed_by(action);
    unsetenv("RKNN_LOG_LEVEL");
    return text;
}

}  // namespace

TEST(nothing_is_printed_unless_rknn_log_level_asks_for_it) {
    unsetenv("RKNN_LOG_LEVEL");
    CHECK_EQ(printed_by(go_wrong), "");
    setenv("RKNN_LOG_LEVEL", "0", 1);
    CHECK_EQ(printed_by(go_wrong), "");
}

TEST(errors_refusals_and_warnings_are_printed_from_level_1) {
    const std::string text = printed_at_level_1(go_wrong);
    for (const char *part : {"rknn_init: cannot open model '/nowhere/model.rknn'",
                             "Meet unsupported src layout for normalize: 0", "normalize error(-1) index=0",
                             "W RKNN (simulated NPU): rknn_inputs_set, param input num(0) != model input num(1)"}) {
        CHECK(text.find(part) != std::string::npos);
    }
}

TEST(leftovers_are_logged) {
    const std::string text = printed_at_level_1(leave_things_behind);
    CHECK(
        text.find("E RKNN (simulated NPU): rknn_destroy: the context is destroyed, but duplicates of it still exist") !=
        std::string::npos);
    CHECK(text.find("never destroyed (rknn_destroy_mem): 1;") != std::string::npos);
    CHECK_EQ(printed_at_level_1(leave_nothing_behind), "");
}

TEST(each_change_without_a_flush_is_logged) {
    const std::string text = printed_at_level_1(forget_to_flush);
    CHECK_EQ(count(text, "changed after the last rknn_mem_sync(TO_DEVICE); rknn_run flushes it"), 2U);
}

TEST(a_change_in_the_way_of_an_input_is_logged) {
    const std::string text = printed_at_level_1(change_the_way);
    CHECK_EQ(count(text, "was bound as pixels and now is bound with pass_through"), 1U);
    CHECK_EQ(count(text, "was bound with pass_through and now is given to rknn_inputs_set as pixels"), 1U);
    CHECK_EQ(count(text, "was given to rknn_inputs_set as pixels and now is given to rknn_inputs_set:"), 1U);
    CHECK_EQ(count(text, "use a context for each way"), 3U);
}
