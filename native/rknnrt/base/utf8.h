/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of UTF-8. */
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace ez_rknn::rknnrt {

/* The number of characters; nothing if the bytes are not UTF-8. As strict as Python: no surrogates, no overlong
 * forms. */
std::optional<size_t> utf8_length(const uint8_t *bytes, size_t size);

}  // namespace ez_rknn::rknnrt
