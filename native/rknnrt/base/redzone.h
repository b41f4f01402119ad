/* SPDX-License-Identifier: Apache-2.0 */
/* Redzones after mapped memory, which no one may touch.
 *
 * The address sanitizer tracks allocated memory, but not mapped memory. In builds with it, the rest of the last page
 * and a page after private memory are marked out of bounds. In other builds all this does nothing. */
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define EZ_RKNN_HAS_REDZONES 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define EZ_RKNN_HAS_REDZONES 1
#endif

#ifdef EZ_RKNN_HAS_REDZONES
#include <sanitizer/asan_interface.h>
#endif

namespace ez_rknn::rknnrt {

constexpr size_t page_size = 4096; /* at least: tests that need another size have no redzones */

constexpr size_t whole_pages(size_t size) {
    return (size + page_size - 1) / page_size * page_size;
}

#ifdef EZ_RKNN_HAS_REDZONES
constexpr size_t redzone_size = page_size;
inline void forbid(const uint8_t *begin, size_t size) {
    ASAN_POISON_MEMORY_REGION(begin, size);
}
inline void allow(const uint8_t *begin, size_t size) {
    ASAN_UNPOISON_MEMORY_REGION(begin, size);
}
#else
constexpr size_t redzone_size = 0;
inline void forbid(const uint8_t *, size_t) {}
inline void allow(const uint8_t *, size_t) {}
#endif

}  // namespace ez_rknn::rknnrt
