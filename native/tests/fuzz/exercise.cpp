/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/exercise.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ez_rknn_simulator.h"
#include "rknn_abi.h"
#include "tests/fuzz/choice.h"
#include "tests/fuzz/conversions.h"

namespace ez_rknn::tests::fuzz {

namespace {

constexpr uint64_t most_bytes =
    4 * 1024 * 1024; /* of one tensor as float64: larger ones are opened but not converted */

void expect(bool condition, const char *what) {
    if (condition) return;
    std::fprintf(stderr, "wrong: %s (%s)\n", what, ez_rknn_last_error());
    std::abort();
}

class Context {
  public:
    explicit Context(rknn_context handle, Choice choice) : handle_(handle), choice_(choice) {}
    ~Context() { expect(rknn_destroy(handle_) == RKNN_SUCC, "rknn_destroy"); }
    Context(const Context &) = delete;
    Context &operator=(const Context &) = delete;

    void use() {
        query_all();
        const rknn_input_output_num number = count();
        inputs_ = attributes(RKNN_QUERY_INPUT_ATTR, number.n_input);
        outputs_ = attributes(RKNN_QUERY_OUTPUT_ATTR, number.n_output);
        if (!are_small(inputs_) || !are_small(outputs_)) return;
        if (!choose_shapes()) return run();
        for (const std::vector<rknn_tensor_attr> &shapes : shapes_) {
            std::vector<rknn_tensor_attr> attrs = shapes;
            rknn_set_input_shapes(handle_, static_cast<uint32_t>(attrs.size()), attrs.data());
            run();
        }
    }

  private:
    void query_all() {
        for (int32_t command = -1; command <= RKNN_QUERY_CMD_MAX; ++command) {
            const auto info = std::make_unique<rknn_input_range>();
            const uint32_t sizes[] = {sizeof *info, choice_.below(sizeof *info)};
            for (uint32_t size : sizes) {
                info->index = choice_.below(4);
                rknn_query(handle_, static_cast<rknn_query_cmd>(command), info.get(), size);
            }
        }
    }

    rknn_input_output_num count() {
        rknn_input_output_num number{};
        expect(rknn_query(handle_, RKNN_QUERY_IN_OUT_NUM, &number, sizeof number) == RKNN_SUCC,
               "the number of tensors");
        return number;
    }

    std::vector<rknn_tensor_attr> attributes(rknn_query_cmd command, uint32_t count) {
        std::vector<rknn_tensor_attr> result(std::min(count, 8U));
        for (uint32_t i = 0; i < result.size(); ++i) {
            result[i].index = i;
            expect(rknn_query(handle_, command, &result[i], sizeof result[i]) == RKNN_SUCC, "the attributes");
        }
        return result;
    }

    static bool are_small(const std::vector<rknn_tensor_attr> &attrs) {
        return std::all_of(attrs.begin(), attrs.end(), [](const rknn_tensor_attr &attr) {
            return uint64_t{attr.n_elems} * 8 <= most_bytes && attr.size_with_stride <= most_bytes;
        });
    }

    /* Chooses shapes. False for a static model. */
    bool choose_shapes() {
        const auto range = std::make_unique<rknn_input_range>();
        for (uint32_t shape = 0; shape < 3; ++shape) {
            std::vector<rknn_tensor_attr> attrs = inputs_;
            for (uint32_t i = 0; i < attrs.size(); ++i) {
                range->index = i;
                if (rknn_query(handle_, RKNN_QUERY_INPUT_DYNAMIC_RANGE, range.get(), sizeof *range) != RKNN_SUCC) {
                    return false;
                }
                const uint32_t chosen = std::min(shape, range->shape_number - 1);
                std::copy_n(range->dyn_range[chosen], range->n_dims, attrs[i].dims);
                attrs[i].fmt = range->fmt;
            }
            shapes_.push_back(std::move(attrs));
        }
        return true;
    }

    void run() {
        inputs_ = attributes(RKNN_QUERY_INPUT_ATTR, static_cast<uint32_t>(inputs_.size()));
        outputs_ = attributes(RKNN_QUERY_OUTPUT_ATTR, static_cast<uint32_t>(outputs_.size()));
        for (int i = 0; i < 2; ++i) {
            set_inputs();
            rknn_run(handle_, nullptr);
            get_outputs();
        }
        bind(inputs_, RKNN_QUERY_NATIVE_INPUT_ATTR);
        bind(outputs_, RKNN_QUERY_NATIVE_OUTPUT_ATTR);
        rknn_run(handle_, nullptr);
        get_outputs();
        for (rknn_tensor_mem *memory : std::exchange(memories_, {})) rknn_destroy_mem(handle_, memory);
    }

    void set_inputs() {
        std::vector<std::vector<uint8_t>> bytes;
        std::vector<rknn_input> inputs(inputs_.size());
        for (size_t i = 0; i < inputs.size(); ++i) {
            const int32_t type = any_type(choice_);
            bytes.emplace_back(inputs_[i].n_elems * element_size(type) + (choice_.below(8) == 0 ? 3 : 0),
                               uint8_t{0x7F});
            inputs[i].buf = bytes.back().data();
            inputs[i].size = static_cast<uint32_t>(bytes.back().size());
            inputs[i].pass_through = choice_.below(4) == 0 ? 1 : 0;
            put_number(inputs[i].type, type);
            put_number(inputs[i].fmt, any_format(choice_));
        }
        rknn_inputs_set(handle_, static_cast<uint32_t>(inputs.size()), inputs.data());
    }

    void get_outputs() {
        std::vector<std::vector<uint8_t>> bytes;
        std::vector<rknn_output> outputs(outputs_.size());
        for (size_t i = 0; i < outputs.size(); ++i) {
            rknn_output &output = outputs[i];
            output.want_float = static_cast<uint8_t>(choice_.below(2));
            output.is_prealloc = static_cast<uint8_t>(choice_.below(2));
            if (output.is_prealloc == 0) continue;
            bytes.emplace_back(output.want_float != 0 ? outputs_[i].n_elems * 4 : outputs_[i].size);
            output.buf = bytes.back().data();
            output.size = static_cast<uint32_t>(bytes.back().size());
        }
        const auto count = static_cast<uint32_t>(outputs.size());
        rknn_outputs_get(handle_, count, outputs.data(), nullptr);
        rknn_outputs_release(handle_, count, outputs.data());
    }

    /* Binds memory of the size that the runtime asks for, unless it asks for too much. */
    void bind(const std::vector<rknn_tensor_attr> &attrs, rknn_query_cmd native) {
        for (uint32_t i = 0; i < attrs.size(); ++i) {
            rknn_tensor_attr attr = attrs[i];
            if (choice_.below(2) == 0) rknn_query(handle_, native, &attr, sizeof attr);
            if (choice_.below(2) == 0) put_number(attr.type, any_type(choice_));
            if (choice_.below(2) == 0) put_number(attr.fmt, any_format(choice_));
            attr.pass_through = static_cast<uint8_t>(choice_.below(2));
            const uint32_t room = choice_.below(2) == 0 ? attr.size_with_stride : attr.n_elems * 8;
            rknn_tensor_mem *const memory = rknn_create_mem(handle_, std::min<uint32_t>(room, most_bytes));
            if (memory == nullptr) continue;
            memories_.push_back(memory);
            rknn_set_io_mem(handle_, memory, &attr);
        }
    }

    const rknn_context handle_;
    Choice choice_;
    std::vector<rknn_tensor_attr> inputs_;
    std::vector<rknn_tensor_attr> outputs_;
    std::vector<std::vector<rknn_tensor_attr>> shapes_;
    std::vector<rknn_tensor_mem *> memories_;
};

}  // namespace

bool exercise(const uint8_t *data, size_t size, uint32_t round) {
    ez_rknn_simulator_configure("compute=off");
    rknn_context handle = 0;
    // A copy of exactly this size, so that an access one byte beyond is noticed.
    std::vector<uint8_t> file(data, data + size);
    const int code =
        size == 0 ? RKNN_ERR_MODEL_INVALID : rknn_init(&handle, file.data(), static_cast<uint32_t>(size), 0, nullptr);
    expect((code == RKNN_SUCC) == (handle != 0), "a context exactly where there is no error");
    expect(code == RKNN_SUCC || code == RKNN_ERR_MODEL_INVALID, "an error that is not the file's");
    if (code != RKNN_SUCC) return false;
    Context(handle, Choice(data, size, round)).use();
    convert_all(file.data(), file.size(), Choice(data, size, round));
    return true;
}

}  // namespace ez_rknn::tests::fuzz
