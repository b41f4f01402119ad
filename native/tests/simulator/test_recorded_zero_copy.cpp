/* SPDX-License-Identifier: Apache-2.0 */
/* The types, layouts and sizes that rknn_set_io_mem accepts, and the resulting layout of outputs, compared with
 * recordings of the vendor's library.
 *
 * Two things differ on purpose: sizes that the vendor's library ignores (outputs, and inputs with pass_through) are
 * checked here, so its answer for a memory of one byte is expected for one that is large enough; and outputs as types
 * that are neither the model's nor float32 are refused, because it is unknown what it would write.
 */
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "ez_rknn_simulator.h"
#include "tests/check.h"
#include "tests/simulator/json.h"
#include "tests/simulator/support.h"
#include "tests/simulator/tensors.h"

using namespace ez_rknn::tests;

namespace {

constexpr uint32_t plenty = 200000; /* bytes, as in the recordings */

const std::map<std::string, rknn_tensor_type> types = {{"f32", RKNN_TENSOR_FLOAT32},
                                                       {"f16", RKNN_TENSOR_FLOAT16},
                                                       {"i8", RKNN_TENSOR_INT8},
                                                       {"u8", RKNN_TENSOR_UINT8},
                                                       {"i64", RKNN_TENSOR_INT64}};
const std::map<std::string, rknn_tensor_format> formats = {{"NCHW", RKNN_TENSOR_NCHW},
                                                           {"NHWC", RKNN_TENSOR_NHWC},
                                                           {"NC1HWC2", RKNN_TENSOR_NC1HWC2},
                                                           {"UNDEF", RKNN_TENSOR_UNDEFINED}};
const std::map<std::string, rknn_query_cmd> queries = {{"NATIVE_INPUT_ATTR", RKNN_QUERY_NATIVE_INPUT_ATTR},
                                                       {"NATIVE_NHWC_INPUT_ATTR", RKNN_QUERY_NATIVE_NHWC_INPUT_ATTR},
                                                       {"OUTPUT_ATTR", RKNN_QUERY_OUTPUT_ATTR},
                                                       {"NATIVE_OUTPUT_ATTR", RKNN_QUERY_NATIVE_OUTPUT_ATTR},
                                                       {"NATIVE_NHWC_OUTPUT_ATTR", RKNN_QUERY_NATIVE_NHWC_OUTPUT_ATTR}};

/* "IN c3_i8 u8 NHWC pt=0", "OUT c3_i8 OUTPUT_ATTR as queried" */
struct Case {
    explicit Case(const std::string &title) {
        std::istringstream words(title);
        std::string direction, word;
        words >> direction >> model >> word;
        input = direction == "IN";
        if (queries.count(word) != 0) {
            query = queries.at(word);
            words >> word >> word;
        } else {
            type = types.at(word);
            words >> word;
            format = formats.at(word);
        }
        if (words >> word) pass_through = word == "pt=1";
    }
    bool queried() const { return query != RKNN_QUERY_CMD_MAX; }
    rknn_tensor_attr attr(rknn_context context) const {
        const rknn_query_cmd otherwise = input ? RKNN_QUERY_INPUT_ATTR : RKNN_QUERY_OUTPUT_ATTR;
        rknn_tensor_attr result = attribute(context, queried() ? query : otherwise);
        if (!queried()) {
            result.type = type;
            result.fmt = format;
        }
        result.pass_through = pass_through ? 1 : 0;
        return result;
    }

    bool input = false, pass_through = false;
    std::string model;
    rknn_query_cmd query = RKNN_QUERY_CMD_MAX;
    rknn_tensor_type type = RKNN_TENSOR_INT8;
    rknn_tensor_format format = RKNN_TENSOR_NHWC;
};

int bind(rknn_context context, uint32_t size, rknn_tensor_attr attr) {
    rknn_tensor_mem *memory = rknn_create_mem(context, size);
    const int code = rknn_set_io_mem(context, memory, &attr);
    CHECK_EQ(rknn_destroy_mem(context, memory), RKNN_SUCC);
    return code;
}

/* True if the vendor's library aborted, or wrote undefined bytes. */
bool is_refused_here(const rknn_tensor_attr &attr, const Case &wanted, rknn_context context,
                     const json::Value &recording) {
    if (!recording.has("r")) return true;
    if (wanted.input) return false;
    const rknn_tensor_attr own = attribute(context, RKNN_QUERY_OUTPUT_ATTR);
    return attr.type != own.type && attr.type != RKNN_TENSOR_FLOAT32;
}

void compare(const std::string &title, const json::Value &recording, const std::string &models) {
    const Case wanted(title);
    const TestContext context(models + wanted.model + ".rknn");
    const rknn_tensor_attr attr = wanted.attr(context);
    const int code = bind(context, plenty, attr);
    const auto expect = [&](int ours, int theirs) {
        CHECK_EQ(title + ": " + std::to_string(ours), title + ": " + std::to_string(theirs));
    };
    if (is_refused_here(attr, wanted, context, recording)) return expect(code, RKNN_ERR_PARAM_INVALID);
    const json::Value &result = recording["r"];
    if (result[0].string != "min size") return expect(code, static_cast<int>(result[3].number));
    expect(code, RKNN_SUCC);
    const auto least = static_cast<uint32_t>(result[1].number);
    if (least == 1) return;  // the vendor's library did not check
    expect(bind(context, least, attr), RKNN_SUCC);
    expect(bind(context, least - 1, attr), RKNN_ERR_FAIL);
}

/* "c3_i8 in u8 NHWC, out f32 NCHW n*4": binds an output so, and returns the layout that the recording says. */
rknn_tensor_attr recorded_output(rknn_context context, const std::string &title) {
    const std::string how = title.substr(title.find(", out ") + 6);
    const auto says = [&](const char *word) { return how.find(word) != std::string::npos; };
    rknn_query_cmd query = RKNN_QUERY_OUTPUT_ATTR;
    if (says("queried native_nhwc")) query = RKNN_QUERY_NATIVE_NHWC_OUTPUT_ATTR;
    if (says("NC1HWC2 native")) query = RKNN_QUERY_NATIVE_OUTPUT_ATTR;
    rknn_tensor_attr attr = attribute(context, query);
    if (says("f32")) attr.type = RKNN_TENSOR_FLOAT32;
    if (says("NHWC")) attr.fmt = RKNN_TENSOR_NHWC;
    if (says("NC1HWC2")) attr.fmt = RKNN_TENSOR_NC1HWC2;
    return attr;
}

/* True if the recorded bytes can be read as that layout. */
bool was(const json::Value &recording, const char *layout) {
    for (const json::Value &name : recording["r"]["out_is"].array) {
        if (name.string.find(layout) == 0) return true;
    }
    return false;
}

void compare_output(const std::string &title, const json::Value &recording, const std::string &models) {
    const TestContext context(models + title.substr(0, title.find(' ')) + ".rknn", "compute=on");
    rknn_tensor_attr input = attribute(context, RKNN_QUERY_INPUT_ATTR);
    input.type = RKNN_TENSOR_UINT8;
    const BoundMemory in(context, static_cast<uint32_t>(recording["r"]["in_size"].number));
    for (uint32_t i = 0; i < recording["r"]["in_size"].number; ++i) in.data()[i] = static_cast<uint8_t>(i * 7 % 253);
    CHECK_EQ(rknn_set_io_mem(context, in, &input), RKNN_SUCC);
    rknn_tensor_attr bound = recorded_output(context, title);
    const BoundMemory out(context, static_cast<uint32_t>(recording["r"]["out_size"].number));
    CHECK_EQ(rknn_set_io_mem(context, out, &bound), RKNN_SUCC);
    CHECK_EQ(rknn_run(context, nullptr), RKNN_SUCC);

    const std::vector<uint8_t> expected = outputs_of(context, bound.type == RKNN_TENSOR_FLOAT32)[0];
    const bool dense = was(recording, "NCHW") || was(recording, "f32 maxdiff");
    CHECK(dense || was(recording, "NHWC") || was(recording, "NC1HWC2"));
    const std::vector<uint8_t> ours =
        dense ? out.bytes(expected.size())
              : in_onnx_order(attribute(context, RKNN_QUERY_OUTPUT_ATTR), bound, out.data());
    CHECK_EQ(title + (ours == expected ? "" : " differs"), title);
}

}  // namespace

TEST(memory_is_bound_where_the_recordings_say_so) {
    const std::string shared = shared_directory();
    if (shared.empty()) return;
    const json::Value recordings = json::parse(read_file(shared + "/golden/zerocopy_accept.json"));
    size_t compared = 0;
    for (const auto &[title, recording] : recordings.object) {
        if (title.compare(0, 3, "IN ") != 0 && title.compare(0, 4, "OUT ") != 0) continue;
        compare(title, recording, shared + "/golden/models/");
        ++compared;
    }
    std::printf("%zu ways to bind\n", compared);
    CHECK(compared >= 300);
}

TEST(bound_outputs_are_in_the_recorded_layout) {
    const std::string shared = shared_directory();
    if (shared.empty()) return;
    use_echo_device(EZ_RKNN_FAKE_DEVICE_PATH);
    const json::Value recordings = json::parse(read_file(shared + "/golden/zerocopy_run.json"));
    size_t compared = 0;
    for (const auto &[title, recording] : recordings.object) {
        if (title.find(" in u8 NHWC, out ") == std::string::npos) continue;
        compare_output(title, recording, shared + "/golden/models/");
        ++compared;
    }
    std::printf("%zu outputs\n", compared);
    CHECK(compared >= 20);
}
