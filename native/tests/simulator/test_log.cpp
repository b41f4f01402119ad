/* The library owns no terminal: without RKNN_LOG_LEVEL it prints nothing, whatever goes wrong. */
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "check.h"
#include "support.h"

namespace {

/* What is written to standard output and standard error while `action` runs. */
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

/* An error, a refusal that returns 0, a warning. */
void go_wrong() {
    const TestContext nothing("/nowhere/model.rknn");
    const TestContext context(model_path("tiny_conv_int8"));
    std::vector<uint8_t> data(attribute(context, RKNN_QUERY_INPUT_ATTR).n_elems);
    rknn_input input = pixels(data);
    input.fmt = RKNN_TENSOR_NCHW;
    rknn_inputs_set(context, 1, &input);
    rknn_inputs_set(context, 0, nullptr);
}

}  // namespace

TEST(nothing_is_printed_unless_rknn_log_level_asks_for_it) {
    unsetenv("RKNN_LOG_LEVEL");
    CHECK_EQ(printed_by(go_wrong), "");
    setenv("RKNN_LOG_LEVEL", "0", 1);
    CHECK_EQ(printed_by(go_wrong), "");
}

TEST(errors_refusals_and_warnings_are_printed_from_level_1) {
    setenv("RKNN_LOG_LEVEL", "1", 1);
    const std::string text = printed_by(go_wrong);
    unsetenv("RKNN_LOG_LEVEL");
    for (const char *part : {"rknn_init: cannot open model '/nowhere/model.rknn'",
                             "Meet unsupported src layout for normalize: 0", "normalize error(-1) index=0",
                             "W RKNN (simulated NPU): rknn_inputs_set, param input num(0) != model input num(1)"}) {
        CHECK(text.find(part) != std::string::npos);
    }
}
