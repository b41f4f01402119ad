/* What lies behind mapped memory: nothing that anyone may touch.
 *
 * The address sanitizer knows what is allocated, but not what is mapped. Tests with it are told: the rest of the last
 * page, and a page behind private memory, are out of bounds. Everywhere else nothing here does anything. */
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

constexpr size_t page_size = 4096; /* at least: tests that need another one do not have redzones */

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
