/* SPDX-License-Identifier: Apache-2.0 */
/* Model files damaged in critical places: rknn_init refuses them, or every use of them stays inside its memory. The
 * same as make fuzz-native, but for seconds and with any compiler; under the address sanitizer it proves that no access
 * is out of bounds. */
#include <cstdint>
#include <cstdio>
#include <string>

#include "tests/check.h"
#include "tests/fuzz/exercise.h"
#include "tests/fuzz/mutate.h"
#include "tests/fuzz/places.h"
#include "tests/simulator/support.h"

using namespace ez_rknn::tests;

namespace {

/* Models of every kind of storage and element type, with custom operators, with several shapes, and of the three
 * NPUs. */
constexpr const char *models[] = {
    "tiny_conv_int8",     "conv_c1_fp16",         "conv_c4_int8",       "conv_c5_int8",    "conv_c16_fp16",
    "two_inputs_int8",    "batch4_int8",          "tokens_fp16",        "vector_int8",     "vector_fp16",
    "mean_std_int8",      "custom_blend_int8",    "custom_string_fp16", "dynamic_fp16",    "rk3562_column_int8",
    "rk3566_cosine_fp16", "plain_recurrent_int8", "read_by_cpu_fp16",   "single_core_int8"};
constexpr unsigned variants = 15 * EZ_RKNN_THOROUGHNESS; /* of each */

const uint8_t *bytes(const std::string &file) {
    return reinterpret_cast<const uint8_t *>(file.data());
}

}  // namespace

TEST(good_models_pass_the_tests_of_damaged_ones) {
    for (const char *model : models) {
        const std::string file = read_file(model_path(model));
        CHECK(fuzz::exercise(bytes(file), file.size()));
    }
}

TEST(damaged_models_are_refused_or_stay_inside_their_memory) {
    size_t opened = 0;
    size_t all = 0;
    for (const char *model : models) {
        const std::string whole = read_file(model_path(model));
        for (unsigned variant = 0; variant < variants; ++variant, ++all) {
            std::string file = whole;
            auto *data = reinterpret_cast<uint8_t *>(file.data());
            file.resize(fuzz::mutate(data, file.size(), file.size(), variant * 7919 + 1));
            if (fuzz::exercise(bytes(file), file.size())) ++opened;
        }
    }
    std::printf("%zu of %zu opened\n", opened, all);
    // If nearly all were refused, or nearly none, the test would show nothing.
    CHECK(opened > all / 20 && opened < all - all / 20);
}

TEST(every_number_for_an_enumeration_is_refused_or_known) {
    // One such byte made an input uint16, for which the conversion had no case of its own.
    constexpr size_t header = 64;
    for (const char *model : {"tiny_conv_int8", "tokens_fp16"}) {
        const std::string whole = read_file(model_path(model));
        const fuzz::Places places = fuzz::find_places(bytes(whole) + header, whole.size() - header);
        size_t found = 0;
        for (const fuzz::Places::Number &place : places.numbers) {
            if (place.size != 1) continue;
            ++found;
            for (const int number : {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 64, 65, 66, 255}) {
                std::string file = whole;
                file[header + place.position] = static_cast<char>(number);
                for (uint32_t round = 0; round < EZ_RKNN_THOROUGHNESS; ++round) {
                    if (!fuzz::exercise(bytes(file), file.size(), round)) break;
                }
            }
        }
        CHECK(found > 10);
    }
}

TEST(files_that_once_failed_are_refused_or_open) {
    const std::string folder = EZ_RKNN_REGRESSIONS;
    for (const std::string &name : files_in(folder, "", ".rknn")) {
        const std::string file = read_file(folder + "/" + name);
        fuzz::exercise(bytes(file), file.size());
    }
}
