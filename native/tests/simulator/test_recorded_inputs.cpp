/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes that rknn_inputs_set leaves in the NPU's input buffers, against those recorded from the vendor's library.
 */
#include <algorithm>
#include <cmath>
#include <cstring>

#include "rknnrt/base/half.h"
#include "rknnrt/context/process.h"
#include "tests/check.h"
#include "tests/simulator/json.h"
#include "tests/simulator/support.h"

using namespace ez_rknn::tests;
using namespace ez_rknn::rknnrt;

namespace {

rknn_tensor_type type_of(const std::string &name) {
    static const char *const names[] = {"f32", "f16", "i8", "u8", "i16", "u16", "i32", "u32", "i64", "bool"};
    const auto *found = std::find(std::begin(names), std::end(names), name);
    return static_cast<rknn_tensor_type>(found - std::begin(names));
}

rknn_tensor_format format_of(const std::string &name) {
    static const char *const names[] = {"NCHW", "NHWC", "NC1HWC2", "UNDEFINED"};
    const auto *found = std::find(std::begin(names), std::end(names), name);
    return static_cast<rknn_tensor_format>(found - std::begin(names));
}

/* The numbers that the recordings were made with: every half from 0 to 255.5, then the awkward ones. */
float recorded_float(size_t index) {
    static const float awkward[] = {-1000.F, -300.F, -129.F, -128.5F, -128.F, -1.5F, -.5F,       -.25F, 255.5F,
                                    256.F,   300.F,  1000.F, 1e6F,    -1e6F,  1e30F, .49999997F, 2.5F,  3.5F};
    const size_t halves = 512;
    const size_t period = halves + 17;
    const size_t place = index % period;
    if (place < halves) return static_cast<float>(place) / 2;
    const size_t rest = place - halves;
    return rest < 14 ? awkward[rest] : awkward[rest + 1];
}

template <typename Element>
void append(std::vector<uint8_t> &bytes, Element value) {
    const size_t end = bytes.size();
    bytes.resize(end + sizeof value);
    std::memcpy(bytes.data() + end, &value, sizeof value);
}

std::vector<uint8_t> recorded_source(const std::string &type, size_t elements) {
    std::vector<uint8_t> bytes;
    for (size_t i = 0; i < elements; ++i) {
        const auto byte = static_cast<uint8_t>(i % 256);
        if (type == "f32") {
            append(bytes, recorded_float(i));
        } else if (type == "f16") {
            append(bytes, half_from_float(recorded_float(i)));
        } else if (type == "i8") {
            append(bytes, static_cast<int8_t>(byte - 128));
        } else if (type == "i64") {
            append(bytes, static_cast<int64_t>(byte));
        } else if (type == "i32") {
            append(bytes, static_cast<int32_t>(byte));
        } else if (type == "i16" || type == "u16") {
            append(bytes, static_cast<uint16_t>(byte));
        } else {
            append(bytes, byte);
        }
    }
    return bytes;
}

size_t first_difference(const uint8_t *ours, const std::vector<unsigned char> &theirs, size_t size) {
    for (size_t i = 0; i < std::min(size, theirs.size()); ++i) {
        if (ours[i] != theirs[i]) return i;
    }
    return SIZE_MAX;
}

struct Tally {
    size_t buffers = 0;
    size_t wrong = 0;
};

void compare_case(const std::string &path, const json::Value &recording, const std::string &where, Tally &tally) {
    const TestContext context(path);
    std::vector<std::vector<uint8_t>> sources;
    std::vector<rknn_input> inputs;
    for (size_t i = 0; i < recording["ins"].array.size(); ++i) {
        const char *attr = recording["fmt"].string == "NC1HWC2" ? "nat" : "ins";
        const auto elements = static_cast<size_t>(recording[attr][i]["n_elems"].number);
        sources.push_back(recorded_source(recording["type"].string, elements));
        rknn_input input{};
        input.index = static_cast<uint32_t>(i);
        input.buf = sources.back().data();
        input.size = static_cast<uint32_t>(sources.back().size());
        input.type = type_of(recording["type"].string);
        input.fmt = format_of(recording["fmt"].string);
        input.pass_through = static_cast<uint8_t>(recording["pass_through"].number);
        inputs.push_back(input);
    }
    const int code = rknn_inputs_set(context, static_cast<uint32_t>(inputs.size()), inputs.data());
    CHECK_EQ(where + std::to_string(code), where + std::to_string(static_cast<int>(recording["inputs_set"].number)));
    if (code != RKNN_SUCC) return;
    const auto opened = process_state().contexts.find(context);
    for (size_t i = 0; i < recording["inbuf"].array.size(); ++i) {
        const std::vector<unsigned char> theirs = json::base64(recording["inbuf"][i].string);
        const DeviceMemory &ours = *opened->input_buffer(i);
        ++tally.buffers;
        const size_t at = first_difference(ours.data(), theirs, ours.size());
        if (at == SIZE_MAX) continue;
        ++tally.wrong;
        std::ostringstream what;
        what << where << "input " << i << " differs at byte " << at << " of " << ours.size() << ": "
             << int{ours.data()[at]} << ", recorded " << int{theirs[at]};
        check::fail(__FILE__, __LINE__, what.str());
    }
}

/* True if converted later. The vendor's library converts a batch while it runs: when recorded, the buffer still holds
 * the program's own data, unless the NPU can read those. */
bool is_converted_later(const std::string &model, const json::Value &recording) {
    const std::string &type = recording["type"].string;
    return model == "b4_i8" && (recording["fmt"].string != "NHWC" || (type != "u8" && type != "i8"));
}

}  // namespace

TEST(input_buffers_hold_the_recorded_bytes) {
    const std::string shared = shared_directory();
    if (shared.empty()) return;
    Tally tally;
    for (const std::string &name : files_in(shared + "/golden", "inputs_set_", ".json")) {
        std::string model = name.substr(11, name.size() - 16);
        const std::string other = "passthrough_and_types_";
        if (model.compare(0, other.size(), other) == 0) model = model.substr(other.size());
        const std::string path = shared + "/golden/models/" + model + ".rknn";
        if (FILE *file = std::fopen(path.c_str(), "rb")) {
            std::fclose(file);
        } else {
            continue;  // recorded with a third party's model, which is not kept
        }
        for (const json::Value &recording : json::parse(read_file(shared + "/golden/" + name)).array) {
            if (is_converted_later(model, recording)) continue;
            const std::string where = name + " " + recording["type"].string + " " + recording["fmt"].string +
                                      " pass_through " +
                                      std::to_string(static_cast<int>(recording["pass_through"].number)) + ": ";
            compare_case(path, recording, where, tally);
        }
    }
    std::printf("%zu buffers, %zu differ\n", tally.buffers, tally.wrong);
    CHECK(tally.buffers >= 300);
}
