/* SPDX-License-Identifier: Apache-2.0 */
#include "rknnrt/file/other_formats.h"

#include <algorithm>
#include <cctype>
#include <string>
#include <string_view>

#include "rknn_abi.h"
#include "rknnrt/base/status.h"
#include "rknnrt/base/text.h"

namespace ez_rknn::rknnrt {

namespace {

constexpr uint64_t mini_version = 0x1004;
constexpr uint64_t first_generation = 1;
/* The distance from the file's end in which the JSON summary is looked for, and the longest value in it. */
constexpr size_t reach = 1U << 20U;
constexpr size_t longest_word = 32;

bool is_of_a_word(char letter) {
    return std::isalnum(static_cast<unsigned char>(letter)) != 0 || letter == '.' || letter == '_' || letter == '-' ||
           letter == '+';
}

/* The text after the last `key` of the summary; "" if there is none. */
std::string word_of(std::string_view summary, std::string_view key) {
    const size_t found = summary.rfind(key);
    if (found == std::string_view::npos) return "";
    const std::string_view rest = summary.substr(found + key.size());
    const size_t begin = rest.find_first_not_of(" :[\"");
    if (begin == std::string_view::npos) return "";
    const auto end = std::find_if_not(rest.begin() + begin, rest.end(), is_of_a_word);
    const std::string word(rest.begin() + begin, end);
    return word.size() > longest_word ? "" : word;
}

std::string made(const std::string &toolkit, const std::string &soc) {
    if (toolkit.empty() && soc.empty()) return "";
    return text_of(", compiled", toolkit.empty() ? "" : " by toolkit ", toolkit, soc.empty() ? "" : " for ", soc);
}

}  // namespace

void refuse_other_formats(const Bytes &file, uint64_t version, uint64_t readable) {
    if (version >= readable && version != mini_version) return;
    const size_t size = std::min(file.size(), reach);
    const std::string_view summary(reinterpret_cast<const char *>(file.at(file.size() - size, size, "JSON summary")),
                                   size);
    const std::string soc = upper(word_of(summary, "\"target_platform\""));
    const std::string from = made(word_of(summary, "\"version\""), soc);
    if (version == mini_version) {
        fail(RKNN_ERR_MODEL_INVALID, "the model is in the mini format (mini_rknn=True)", from,
             "; that is for small SoCs such as RV1103 and RV1106, and this runtime cannot read it");
    }
    if (version <= first_generation) {
        fail(RKNN_ERR_MODEL_INVALID, "container version ", version, from, ": the model is of rknn-toolkit 1, for ",
             soc.empty() ? "RK1808, RK1806, RK3399Pro, RV1109 or RV1126" : soc,
             ", whose NPU is another architecture than RKNPU2");
    }
    fail(RKNN_ERR_MODEL_INVALID, "container version ", version, from,
         " is too old: compile the model again with rknn-toolkit2 1.5.2 or later");
}

}  // namespace ez_rknn::rknnrt
