/* SPDX-License-Identifier: Apache-2.0 */
#include "rknnrt/base/utf8.h"

namespace ez_rknn::rknnrt {

namespace {

constexpr uint32_t first_surrogate = 0xD800, last_surrogate = 0xDFFF, last_character = 0x10FFFF;

/* The first byte of a character. */
struct Lead {
    uint8_t mask; /* of the bits that identify it */
    uint8_t value;
    size_t bytes;
    uint32_t least; /* the first character that needs that many bytes */
};
constexpr Lead leads[] = {{0x80, 0x00, 1, 0}, {0xE0, 0xC0, 2, 0x80}, {0xF0, 0xE0, 3, 0x800}, {0xF8, 0xF0, 4, 0x10000}};

/* The number of bytes of the character that begins there; 0 if none does. */
size_t character_bytes(const uint8_t *bytes, size_t left) {
    for (const Lead &lead : leads) {
        if ((bytes[0] & lead.mask) != lead.value) continue;
        if (lead.bytes > left) return 0;
        uint32_t character = bytes[0] & static_cast<uint8_t>(~lead.mask);
        for (size_t i = 1; i < lead.bytes; ++i) {
            if ((bytes[i] & 0xC0U) != 0x80U) return 0;
            character = character << 6 | (bytes[i] & 0x3FU);
        }
        const bool surrogate = character >= first_surrogate && character <= last_surrogate;
        return character < lead.least || character > last_character || surrogate ? 0 : lead.bytes;
    }
    return 0;
}

}  // namespace

std::optional<size_t> utf8_length(const uint8_t *bytes, size_t size) {
    size_t characters = 0;
    for (size_t at = 0; at < size; ++characters) {
        const size_t step = character_bytes(bytes + at, size - at);
        if (step == 0) return std::nullopt;
        at += step;
    }
    return characters;
}

}  // namespace ez_rknn::rknnrt
