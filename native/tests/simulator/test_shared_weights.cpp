/* SPDX-License-Identifier: Apache-2.0 */
/* Contexts that use another's weights (RKNN_FLAG_SHARE_WEIGHT_MEM), with the fake device replacing the one that
 * computes: the named master, its lifetime, the counted memory. */
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "ez_rknn_simulator.h"
#include "tests/check.h"
#include "tests/simulator/support.h"

using namespace ez_rknn::tests;

namespace {

constexpr const char *compute = "compute=on";

bool last_error_has(const char *text) {
    return std::strstr(ez_rknn_last_error(), text) != nullptr;
}

/* A context without weights of its own. */
class Borrower {
  public:
    Borrower(rknn_context master, const std::string &settings, const std::string &model = "without_weights_fp16")
        : extend_{},
          context_((extend_.ctx = master, model_path(model)), settings, RKNN_FLAG_SHARE_WEIGHT_MEM, &extend_) {}
    operator rknn_context() const { return context_; }
    int code() const { return context_.code; }
    int destroy() {
        const int code = rknn_destroy(context_.handle);
        context_.handle = 0;
        return code;
    }

  private:
    rknn_init_extend extend_;
    TestContext context_;
};

rknn_mem_size memory_of(rknn_context context) {
    rknn_mem_size memory{};
    CHECK_EQ(rknn_query(context, RKNN_QUERY_MEM_SIZE, &memory, sizeof memory), RKNN_SUCC);
    return memory;
}

void use_fake_device() {
    setenv("EZ_RKNN_PYTHON", EZ_RKNN_FAKE_DEVICE_PATH, 1);
    unsetenv("EZ_RKNN_FAKE_DEVICE");
}

}  // namespace

TEST(the_master_must_be_named_and_must_exist) {
    CHECK_EQ(TestContext(model_path("without_weights_fp16"), "compute=off", RKNN_FLAG_SHARE_WEIGHT_MEM).code,
             RKNN_ERR_PARAM_INVALID);
    CHECK(last_error_has("rknn_init_extend is not set"));
    for (const rknn_context wild : {rknn_context{0}, rknn_context{0x1234}, ~rknn_context{0}}) {
        const Borrower borrower(wild, "compute=off");
        CHECK_EQ(borrower.code(), RKNN_ERR_CTX_INVALID);
        CHECK_EQ(static_cast<rknn_context>(borrower), 0U);
    }
    TestContext master(model_path("tiny_conv_fp16"));
    const rknn_context gone = master;
    CHECK_EQ(rknn_destroy(gone), RKNN_SUCC);
    master.handle = 0;
    CHECK_EQ(Borrower(gone, "compute=off").code(), RKNN_ERR_CTX_INVALID);
    CHECK(last_error_has("was destroyed"));
}

TEST(weights_are_only_shared_between_models_for_one_soc) {
    const TestContext master(model_path("rk3566_block_fp16"));
    CHECK_EQ(Borrower(master, "compute=off").code(), RKNN_ERR_MODEL_INVALID);
    CHECK(last_error_has("is for RK3588"));
    CHECK(last_error_has("for RK3566"));
}

TEST(weights_that_were_not_loaded_cannot_be_shared) {
    use_fake_device();
    const TestContext master(model_path("tiny_conv_fp16"), "compute=off");
    CHECK_EQ(Borrower(master, compute).code(), RKNN_ERR_PARAM_INVALID);
    CHECK(last_error_has("compute=off"));
}

TEST(weights_are_counted_once) {
    const TestContext master(model_path("tiny_conv_fp16"));
    const Borrower borrower(master, "compute=off");
    CHECK_EQ(borrower.code(), RKNN_SUCC);
    rknn_context source = master;
    rknn_context duplicate = 0;
    CHECK_EQ(rknn_dup_context(&source, &duplicate), RKNN_SUCC);
    const rknn_mem_size whole = memory_of(master);
    CHECK_EQ(whole.total_dma_allocated_size, whole.total_weight_size + whole.total_internal_size);
    for (const rknn_context sharing : {static_cast<rknn_context>(borrower), duplicate}) {
        const rknn_mem_size memory = memory_of(sharing);
        CHECK_EQ(memory.total_weight_size, whole.total_weight_size);
        CHECK_EQ(memory.total_dma_allocated_size, memory.total_internal_size);
    }
    CHECK_EQ(rknn_destroy(duplicate), RKNN_SUCC);
}

TEST(borrowers_can_be_duplicated_and_borrowed_from) {
    use_fake_device();
    const TestContext master(model_path("tiny_conv_fp16"), compute);
    Borrower first(master, compute);
    Borrower second(first, compute);
    CHECK_EQ(second.code(), RKNN_SUCC);
    rknn_context source = second;
    rknn_context duplicate = 0;
    CHECK_EQ(rknn_dup_context(&source, &duplicate), RKNN_SUCC);
    CHECK_EQ(rknn_run(duplicate, nullptr), RKNN_SUCC);
    CHECK_EQ(rknn_destroy(duplicate), RKNN_SUCC);
    CHECK_EQ(second.destroy(), RKNN_SUCC);
    CHECK_EQ(first.destroy(), RKNN_SUCC);
}

TEST(a_model_with_weights_can_still_use_another_s) {
    use_fake_device();
    const TestContext master(model_path("tiny_conv_fp16"), compute);
    const Borrower borrower(master, compute, "tiny_conv_fp16");
    CHECK_EQ(borrower.code(), RKNN_SUCC);
    CHECK_EQ(rknn_run(borrower, nullptr), RKNN_SUCC);
    const rknn_mem_size memory = memory_of(borrower);
    CHECK_EQ(memory.total_dma_allocated_size, memory.total_internal_size);
}

TEST(a_master_that_is_destroyed_first_is_reported_and_its_weights_stay) {
    use_fake_device();
    TestContext master(model_path("tiny_conv_fp16"), compute);
    Borrower borrower(master, compute);
    rknn_context source = master;
    rknn_context duplicate = 0;
    CHECK_EQ(rknn_dup_context(&source, &duplicate), RKNN_SUCC);
    CHECK_EQ(rknn_destroy(duplicate), RKNN_SUCC);  // the master still has them
    CHECK_EQ(rknn_destroy(master), RKNN_ERR_FAIL);
    CHECK(last_error_has("others still use its weights"));
    CHECK_EQ(rknn_run(master, nullptr), RKNN_ERR_CTX_INVALID);
    master.handle = 0;
    CHECK_EQ(rknn_run(borrower, nullptr), RKNN_SUCC);
    Borrower later(borrower, compute);  // the device does not unload the master's weights either
    CHECK_EQ(later.code(), RKNN_SUCC);
    CHECK_EQ(later.destroy(), RKNN_SUCC);
    CHECK_EQ(borrower.destroy(), RKNN_SUCC);
}
