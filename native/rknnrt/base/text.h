/* SPDX-License-Identifier: Apache-2.0 */
/* Small helpers for ASCII texts. */
#pragma once

#include <algorithm>
#include <cctype>
#include <string>
#include <string_view>

namespace ez_rknn::rknnrt {

inline bool starts_with(std::string_view text, std::string_view start) {
    return text.substr(0, start.size()) == start;
}

/* Writes the name of an SoC as messages of the vendor's library do: "RK3588". */
inline std::string upper(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char letter) { return static_cast<char>(std::toupper(letter)); });
    return text;
}

inline std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
    return text;
}

}  // namespace ez_rknn::rknnrt
