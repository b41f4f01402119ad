/* SPDX-License-Identifier: Apache-2.0 */
/* All answers of rknn_query, compared with those recorded from the vendor's library.
 *
 * Deliberately different, and left out here:
 *   - SDK_VERSION: ours says that it is simulated;
 *   - PERF_RUN before any run: the vendor's value is uninitialised memory, ours is 0;
 *   - MEM_SIZE: total_dma_allocated_size is what the vendor's driver happened to allocate, and the weights of a dynamic
 *     model are those of one graph there, of all graphs (as the file says) here. */
#include <cstring>

#include "tests/check.h"
#include "tests/simulator/json.h"
#include "tests/simulator/support.h"

using namespace ez_rknn::tests;

namespace {

const char *format_name(rknn_tensor_format format) {
    static const char *const names[] = {"NCHW", "NHWC", "NC1HWC2", "UNDEFINED"};
    return names[format];
}

const char *type_name(rknn_tensor_type type) {
    static const char *const names[] = {"f32", "f16", "i8", "u8", "i16", "u16", "i32", "u32", "i64", "bool"};
    return names[type];
}

/* An attribute as text, so that differences are readable. */
std::string described(const rknn_tensor_attr &attr) {
    std::ostringstream text;
    text.precision(17);
    text << attr.index << " " << attr.name << " [";
    for (uint32_t i = 0; i < attr.n_dims; ++i) text << attr.dims[i] << ",";
    text << "] elements " << attr.n_elems << " size " << attr.size << " " << format_name(attr.fmt) << " "
         << type_name(attr.type) << " qnt " << attr.qnt_type << " fl " << int{attr.fl} << " zp " << attr.zp << " scale "
         << static_cast<double>(attr.scale) << " w_stride " << attr.w_stride << " with stride " << attr.size_with_stride
         << " pass " << int{attr.pass_through} << " h_stride " << attr.h_stride;
    return text.str();
}

std::string described(const json::Value &attr) {
    std::ostringstream text;
    text.precision(17);
    text << attr["index"].number << " " << attr["name"].string << " [";
    for (const json::Value &dim : attr["dims"].array) text << dim.number << ",";
    text << "] elements " << attr["n_elems"].number << " size " << attr["size"].number << " " << attr["fmt"].string
         << " " << attr["type"].string << " qnt " << (attr["qnt_type"].string == "AFFINE" ? 2 : -1) << " fl "
         << attr["fl"].number << " zp " << attr["zp"].number << " scale " << attr["scale"].number << " w_stride "
         << attr["w_stride"].number << " with stride " << attr["size_with_stride"].number << " pass "
         << attr["pass_through"].number << " h_stride " << attr["h_stride"].number;
    return text.str();
}

struct AttributeQuery {
    const char *name;
    rknn_query_cmd command;
};
constexpr AttributeQuery attribute_queries[] = {
    {"INPUT_ATTR", RKNN_QUERY_INPUT_ATTR},
    {"OUTPUT_ATTR", RKNN_QUERY_OUTPUT_ATTR},
    {"NATIVE_INPUT_ATTR", RKNN_QUERY_NATIVE_INPUT_ATTR},
    {"NATIVE_OUTPUT_ATTR", RKNN_QUERY_NATIVE_OUTPUT_ATTR},
    {"NATIVE_NHWC_INPUT_ATTR", RKNN_QUERY_NATIVE_NHWC_INPUT_ATTR},
    {"NATIVE_NHWC_OUTPUT_ATTR", RKNN_QUERY_NATIVE_NHWC_OUTPUT_ATTR},
    {"CURRENT_INPUT_ATTR", RKNN_QUERY_CURRENT_INPUT_ATTR},
    {"CURRENT_OUTPUT_ATTR", RKNN_QUERY_CURRENT_OUTPUT_ATTR},
    {"CURRENT_NATIVE_INPUT_ATTR", RKNN_QUERY_CURRENT_NATIVE_INPUT_ATTR},
    {"CURRENT_NATIVE_OUTPUT_ATTR", RKNN_QUERY_CURRENT_NATIVE_OUTPUT_ATTR},
};

void compare_attributes(rknn_context context, const json::Value &recording, const std::string &model) {
    for (const AttributeQuery &query : attribute_queries) {
        const std::vector<json::Value> &answers = recording[query.name].array;
        for (size_t i = 0; i < answers.size(); ++i) {
            rknn_tensor_attr attr{};
            attr.index = static_cast<uint32_t>(i);
            const int code = rknn_query(context, query.command, &attr, sizeof attr);
            const std::string where = model + " " + query.name + ": ";
            CHECK_EQ(where + std::to_string(code), where + std::to_string(static_cast<int>(answers[i]["ret"].number)));
            if (code == RKNN_SUCC && answers[i].has("dims")) {
                CHECK_EQ(where + described(attr), where + described(answers[i]));
            }
        }
    }
}

void compare_ranges(rknn_context context, const json::Value &recording) {
    const std::vector<json::Value> &answers = recording["INPUT_DYNAMIC_RANGE"].array;
    for (size_t i = 0; i < answers.size(); ++i) {
        rknn_input_range range{};
        range.index = static_cast<uint32_t>(i);
        CHECK_EQ(rknn_query(context, RKNN_QUERY_INPUT_DYNAMIC_RANGE, &range, sizeof range), answers[i]["ret"].number);
        if (answers[i]["ret"].number != RKNN_SUCC) continue;
        CHECK_EQ(range.shape_number, answers[i]["shape_number"].number);
        CHECK_EQ(static_cast<int>(range.fmt), answers[i]["fmt"].number);
        CHECK_EQ(std::string(range.name), answers[i]["name"].string);
        CHECK_EQ(range.n_dims, answers[i]["n_dims"].number);
        for (size_t shape = 0; shape < range.shape_number; ++shape) {
            for (size_t dim = 0; dim < range.n_dims; ++dim) {
                CHECK_EQ(range.dyn_range[shape][dim], answers[i]["dyn"][shape][dim].number);
            }
        }
    }
}

void compare_rest(rknn_context context, const json::Value &recording) {
    rknn_input_output_num number{};
    CHECK_EQ(rknn_query(context, RKNN_QUERY_IN_OUT_NUM, &number, sizeof number), RKNN_SUCC);
    CHECK_EQ(number.n_input, recording["IN_OUT_NUM"]["n_input"].number);
    CHECK_EQ(number.n_output, recording["IN_OUT_NUM"]["n_output"].number);
    rknn_custom_string text{};
    CHECK_EQ(rknn_query(context, RKNN_QUERY_CUSTOM_STRING, &text, sizeof text), RKNN_SUCC);
    CHECK_EQ(std::string(text.string), recording["CUSTOM_STRING"]["string"].string);
    rknn_mem_size memory{};
    CHECK_EQ(rknn_query(context, RKNN_QUERY_MEM_SIZE, &memory, sizeof memory), RKNN_SUCC);
    const bool dynamic = recording["INPUT_DYNAMIC_RANGE"][0]["ret"].number == RKNN_SUCC;
    if (!dynamic) CHECK_EQ(memory.total_weight_size, recording["MEM_SIZE"]["total_weight_size"].number);
    CHECK_EQ(memory.total_internal_size, recording["MEM_SIZE"]["total_internal_size"].number);
    rknn_perf_detail detail{};
    CHECK_EQ(rknn_query(context, RKNN_QUERY_PERF_DETAIL, &detail, sizeof detail), RKNN_SUCC);
    CHECK_EQ(detail.data_len, recording["PERF_DETAIL_before_run"]["data_len"].number);
    char nothing[64];
    CHECK_EQ(rknn_query(context, RKNN_QUERY_DEVICE_MEM_INFO, nothing, sizeof nothing),
             recording["DEVICE_MEM_INFO"]["ret"].number);
}

}  // namespace

TEST(queries_answer_as_recorded) {
    const std::string shared = shared_directory();
    if (shared.empty()) return;
    size_t compared = 0;
    for (const std::string &name : files_in(shared + "/golden", "query_", ".json")) {
        const std::string model = name.substr(6, name.size() - 11);
        const std::string path = shared + "/golden/models/" + model + ".rknn";
        if (FILE *file = std::fopen(path.c_str(), "rb")) {
            std::fclose(file);
        } else {
            continue;  // recorded with a third party's model, which is not kept
        }
        const json::Value recording = json::parse(read_file(shared + "/golden/" + name));
        const TestContext context(path);
        CHECK_EQ(context.code, RKNN_SUCC);
        compare_attributes(context, recording, model);
        compare_ranges(context, recording);
        compare_rest(context, recording);
        ++compared;
    }
    std::printf("%zu models\n", compared);
    CHECK(compared >= 40);
}
