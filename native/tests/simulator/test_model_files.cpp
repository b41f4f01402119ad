/* SPDX-License-Identifier: Apache-2.0 */
/* Model files deleted, replaced or written to, during and after loading. */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "ez_rknn_simulator.h"
#include "tests/check.h"
#include "tests/simulator/support.h"

using namespace ez_rknn::tests;

namespace {

constexpr const char *compute = "compute=on";

void use_fake_device(const char *mode) {
    const int pid = ez_rknn_simulator_device_pid();
    if (pid != 0) kill(pid, SIGKILL);
    while (ez_rknn_simulator_device_pid() != 0) std::this_thread::yield();
    setenv("EZ_RKNN_PYTHON", EZ_RKNN_FAKE_DEVICE_PATH, 1);
    setenv("EZ_RKNN_FAKE_DEVICE", mode, 1);
}

/* A copy of a model in a folder of its own. */
class CopiedModel {
  public:
    explicit CopiedModel(const std::string &model) {
        if (mkdtemp(folder_) == nullptr) throw std::runtime_error("cannot make a folder");
        path = std::string(folder_) + "/m.rknn";
        std::ofstream(path, std::ios::binary) << read_file(model_path(model));
    }
    ~CopiedModel() {
        unlink(path.c_str());
        rmdir(folder_);
    }
    std::string path;

  private:
    char folder_[32] = "/tmp/ez_rknn_test_XXXXXX";
};

int borrow(rknn_context master, rknn_context *borrower) {
    rknn_init_extend extend{};
    extend.ctx = master;
    std::string model = model_path("without_weights_fp16");
    return rknn_init(borrower, model.data(), 0, RKNN_FLAG_SHARE_WEIGHT_MEM, &extend);
}

}  // namespace

TEST(duplicates_and_borrowers_do_not_need_the_file) {
    use_fake_device("");
    const CopiedModel copy("tiny_conv_fp16");
    const TestContext master(copy.path, compute);
    CHECK_EQ(master.code, RKNN_SUCC);
    CHECK_EQ(unlink(copy.path.c_str()), 0);
    rknn_context source = master;
    rknn_context duplicate = 0;
    rknn_context borrower = 0;
    CHECK_EQ(rknn_dup_context(&source, &duplicate), RKNN_SUCC);
    CHECK_EQ(borrow(master, &borrower), RKNN_SUCC);
    for (const rknn_context context : {source, duplicate, borrower}) CHECK_EQ(rknn_run(context, nullptr), RKNN_SUCC);
    CHECK_EQ(rknn_destroy(borrower), RKNN_SUCC);
    CHECK_EQ(rknn_destroy(duplicate), RKNN_SUCC);
}

TEST(rejects_a_file_written_to_while_it_is_loaded) {
    use_fake_device("append_to_file");
    const CopiedModel copy("tiny_conv_fp16");
    const TestContext context(copy.path, compute);
    CHECK_EQ(context.code, RKNN_ERR_MODEL_INVALID);
    CHECK(std::strstr(ez_rknn_last_error(), "written to while it was loaded") != nullptr);
}

TEST(a_named_pipe_is_refused_without_waiting_for_a_writer) {
    const CopiedModel copy("tiny_conv_fp16");
    CHECK_EQ(unlink(copy.path.c_str()), 0);
    CHECK_EQ(mkfifo(copy.path.c_str(), 0600), 0);
    CHECK_EQ(TestContext(copy.path).code, RKNN_ERR_MODEL_INVALID);
}
