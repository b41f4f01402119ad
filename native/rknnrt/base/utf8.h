/* Whether bytes are UTF-8. */
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace ez_rknn::rknnrt {

/* How many characters the bytes are; nothing if they are not UTF-8. As strict as Python: no surrogates, nothing written
 * longer than it need be. */
std::optional<size_t> utf8_length(const uint8_t *bytes, size_t size);

}  // namespace ez_rknn::rknnrt
