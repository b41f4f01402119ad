/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks with tensors in memory bound to the context, on the fake runtime. */
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "tests/check.h"
#include "tests/fake_runtime.h"

namespace ez_rknn::tests {

/* A conversion that copies the four bytes of a number. */
inline ezr_conversion copying_a_number() {
    ezr_conversion conversion{};
    conversion.n = conversion.c = conversion.h = 1;
    conversion.w = sizeof(int32_t);
    conversion.from.type = conversion.to.type = RKNN_TENSOR_UINT8;
    conversion.from.format = conversion.to.format = RKNN_TENSOR_NCHW;
    conversion.rule = EZR_RULE_COPY;
    return conversion;
}

/* Memory for a number, for the same tensor of each worker's context, after a gap of `offset` bytes. */
class Memory {
  public:
    Memory(const char *name, uint64_t binding, uint32_t workers = 1, int32_t offset = 0)
        : conversion_(copying_a_number()), binding_(binding), bytes_(workers), structs_(workers), pointers_(workers) {
        std::snprintf(attr_.name, sizeof attr_.name, "%s", name);
        for (uint32_t i = 0; i < workers; ++i) {
            bytes_[i].resize(static_cast<size_t>(offset) + sizeof(int32_t));
            structs_[i].virt_addr = bytes_[i].data();
            structs_[i].offset = offset;
            structs_[i].size = sizeof(int32_t);
            pointers_[i] = &structs_[i];
        }
    }
    Memory(const Memory &) = delete;
    Memory &operator=(const Memory &) = delete;

    /* Direct I/O through this memory, from or to `array`; NULL: without a conversion. */
    ezr_io io(int32_t *array) const {
        return {&attr_, pointers_.data(), binding_, array == nullptr ? nullptr : &conversion_, array, 1};
    }
    int32_t read(uint32_t worker = 0) const {
        int32_t number;
        std::memcpy(&number, bytes_[worker].data() + structs_[worker].offset, sizeof number);
        return number;
    }
    void write(int32_t number, uint32_t worker = 0) {
        std::memcpy(bytes_[worker].data() + structs_[worker].offset, &number, sizeof number);
    }
    void take_away(uint32_t worker) { pointers_[worker] = nullptr; }

  private:
    rknn_tensor_attr attr_{};
    ezr_conversion conversion_;
    uint64_t binding_;
    std::vector<std::vector<char>> bytes_;
    std::vector<rknn_tensor_mem> structs_;
    std::vector<rknn_tensor_mem *> pointers_;
};

/* A task with a number as input, and number + 1 as output, both through bound memory. Must outlive its completion. */
class DirectJob {
  public:
    DirectJob(const Memory &input, const Memory &output, int32_t number = 1) : in_(number) {
        inputs[0] = input.io(&in_);
        outputs[0] = output.io(&out_);
        task.direct_inputs = inputs;
        task.direct_outputs = outputs;
        task.input_count = task.output_count = 1;
    }
    DirectJob(const DirectJob &) = delete;
    DirectJob &operator=(const DirectJob &) = delete;
    operator const ezr_task *() const { return &task; }
    bool is_done() const { return out_ == in_ + 1; }
    bool is_untouched() const { return out_ == INT32_MIN; }

    ezr_task task{};
    ezr_io inputs[1];
    ezr_io outputs[1];

  private:
    int32_t in_;
    int32_t out_ = INT32_MIN;
};

/* One core with one context, and memory for its input and output. */
struct Bench {
    FakeRuntime runtime;
    TestEngine engine;
    Memory input{input_name, 1};
    Memory output{output_name, 2};

    explicit Bench(const ezr_runtime &functions = FakeRuntime::functions(), int32_t run_timeout_ms = 0)
        : engine(layout(run_timeout_ms), functions) {}

    static Layout layout(int32_t run_timeout_ms) {
        Layout layout;
        layout.run_timeout_ms = run_timeout_ms;
        return layout;
    }
    ezr_result run(const ezr_task *task) {
        ezr_result result{};
        CHECK_EQ(ezr_run(engine, task, -1, 0, &result), EZR_OK);
        return result;
    }
    std::string log() { return runtime.log(context_of(0)); }
};

inline constexpr char calls_of_first_run[] = "bind in, to device, bind out, run, from device";
inline constexpr char calls_of_later_run[] = "to device, run, from device";

}  // namespace ez_rknn::tests
