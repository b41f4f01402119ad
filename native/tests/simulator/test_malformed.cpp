/* SPDX-License-Identifier: Apache-2.0 */
/* Damaged and hostile files: rknn_init returns RKNN_ERR_MODEL_INVALID or works; it never crashes, hangs or takes much
 * more memory than the file. Under the address sanitizer this proves that nothing is read out of bounds. */
#include <sys/resource.h>

#include <cstring>
#include <random>
#include <string>

#include "ez_rknn_simulator.h"
#include "tests/check.h"
#include "tests/simulator/support.h"

using namespace ez_rknn::tests;

namespace {

constexpr const char *models[] = {"tiny_conv_int8", "two_inputs_int8", "dynamic_fp16", "batch4_int8", "tokens_fp16"};
constexpr int variants = 800; /* of each model */

/* Loads a file and queries everything in it. Returns rknn_init's code. */
int try_to_load(std::string file) {
    rknn_context context = 0;
    const int code = rknn_init(&context, file.data(), static_cast<uint32_t>(file.size()), 0, nullptr);
    if (code != RKNN_SUCC) {
        CHECK_EQ(context, 0U);
        CHECK(std::strlen(ez_rknn_last_error()) != 0);
        return code;
    }
    for (int command = 0; command < RKNN_QUERY_CMD_MAX; ++command) {
        rknn_input_range info{};
        rknn_query(context, static_cast<rknn_query_cmd>(command), &info, sizeof info);
    }
    CHECK_EQ(rknn_destroy(context), RKNN_SUCC);
    return code;
}

void expect_refused_or_loaded(const std::string &file) {
    const int code = try_to_load(file);
    CHECK(code == RKNN_SUCC || code == RKNN_ERR_MODEL_INVALID);
}

bool said(const char *text) {
    return std::strstr(ez_rknn_last_error(), text) != nullptr;
}

void put_u32(std::string &file, size_t at, uint32_t value) {
    if (at + sizeof value <= file.size()) std::memcpy(&file[at], &value, sizeof value);
}

}  // namespace

TEST(truncated_files_are_refused) {
    ez_rknn_simulator_configure("compute=off");
    for (const char *model : models) {
        const std::string whole = read_file(model_path(model));
        CHECK_EQ(try_to_load(whole), RKNN_SUCC);
        for (size_t size = 1; size < whole.size(); size += 1 + size / 16) {
            CHECK_EQ(try_to_load(whole.substr(0, size)), RKNN_ERR_MODEL_INVALID);
        }
        CHECK_EQ(try_to_load(whole.substr(0, whole.size() - 1)), RKNN_ERR_MODEL_INVALID);
        CHECK_EQ(try_to_load(whole + "more"), RKNN_SUCC);
    }
}

TEST(models_of_older_npus_are_named) {
    std::string file = read_file(model_path("tiny_conv_int8"));
    const size_t target = file.rfind("rk3588");
    file.replace(target, 6, "RV1126");
    for (const char version : {'\1', '\2'}) {
        file[8] = version;
        CHECK_EQ(try_to_load(file), RKNN_ERR_MODEL_INVALID);
        CHECK(said("compiled by toolkit 2.5.0 for RV1126"));
        CHECK(said(version == 1 ? "another architecture" : "rknn-toolkit2 1.5.2 or later"));
    }
}

TEST(files_with_flipped_bits_are_refused_or_load) {
    ez_rknn_simulator_configure("compute=off");
    std::mt19937 random(2);
    for (const char *model : models) {
        const std::string whole = read_file(model_path(model));
        for (int variant = 0; variant < variants; ++variant) {
            std::string file = whole;
            for (int flips = 0; flips < 1 + variant % 16; ++flips) {
                file[random() % file.size()] ^= static_cast<char>(1U << random() % 8);
            }
            expect_refused_or_loaded(file);
        }
    }
}

TEST(files_with_hostile_numbers_are_refused_or_load) {
    ez_rknn_simulator_configure("compute=off");
    std::mt19937 random(3);
    constexpr uint32_t hostile[] = {0, 1, 4, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFC, 0x00010000, 0x7F800000};
    for (const char *model : models) {
        const std::string whole = read_file(model_path(model));
        for (int variant = 0; variant < variants; ++variant) {
            std::string file = whole;
            for (int words = 0; words < 1 + variant % 4; ++words) {
                put_u32(file, random() % (file.size() / 4) * 4, hostile[random() % std::size(hostile)]);
            }
            expect_refused_or_loaded(file);
        }
    }
}

TEST(a_file_whose_tables_all_point_at_one_long_name_takes_little_memory) {
    // A root table with a vector of a million graphs, all of them the same table.
    ez_rknn_simulator_configure("compute=off");
    constexpr uint32_t graphs = 1000000;
    std::string flat(64 + 4 * graphs, '\0');
    const auto u16 = [&](size_t at, uint16_t value) { std::memcpy(&flat[at], &value, sizeof value); };
    put_u32(flat, 0, 24);  // the root table
    u16(8, 10);            // its vtable: size, table size, fields 0, 1 and 2
    u16(10, 8);
    u16(16, 4);
    put_u32(flat, 24, 24 - 8);  // back to the vtable
    put_u32(flat, 28, 8);       // field 2: the vector of graphs
    put_u32(flat, 36, graphs);
    for (uint32_t i = 0; i < graphs; ++i) put_u32(flat, 40 + 4 * i, 24 - (40 + 4 * i));
    std::string file(64, '\0');
    std::memcpy(&file[0], "RKNN", 4);
    put_u32(file, 8, 6);
    put_u32(file, 16, static_cast<uint32_t>(flat.size()));
    file += flat + std::string(8, '\0');
    CHECK_EQ(try_to_load(file), RKNN_ERR_MODEL_INVALID);
}

TEST(memory_stayed_small) {
    // Last, so that it covers all the tests before it. Sanitizers themselves need several times the memory.
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    std::printf("%ld MB at most\n", usage.ru_maxrss / 1024);
    CHECK(usage.ru_maxrss / 1024 < EZ_RKNN_TEST_MEMORY_MB);
}
