/* SPDX-License-Identifier: Apache-2.0 */
#include "rknnrt/base/pages.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "rknn_abi.h"
#include "rknnrt/base/redzone.h"
#include "rknnrt/base/status.h"

namespace ez_rknn::rknnrt {

Pages Pages::map(size_t size, int protection, int flags, int fd, int64_t begin) {
    Pages pages;
    if (size == 0) return pages;
    const size_t mapped = whole_pages(size) + ((flags & MAP_ANONYMOUS) != 0 ? redzone_size : 0);
    void *address = mmap(nullptr, mapped, protection, flags, fd, static_cast<off_t>(begin));
    if (address == MAP_FAILED) fail(RKNN_ERR_MALLOC_FAIL, "cannot map ", size, " bytes: ", std::strerror(errno));
    pages.data_ = static_cast<uint8_t *>(address);
    pages.size_ = size;
    pages.mapped_ = mapped;
    forbid(pages.data_ + size, mapped - size);
    return pages;
}

Pages::Pages(size_t size) {
    *this = map(size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

Pages Pages::shared(const FileDescriptor &file, size_t size) {
    return map(size, PROT_READ | PROT_WRITE, MAP_SHARED, file.get());
}

Pages Pages::shared(int fd, int64_t begin, size_t size) {
    return map(size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, begin);
}

Pages Pages::readonly_shared(int fd, int64_t begin, size_t size) {
    return map(size, PROT_READ, MAP_SHARED, fd, begin);
}

Pages Pages::readonly(const FileDescriptor &file, size_t size) {
    return map(size, PROT_READ, MAP_PRIVATE, file.get());
}

Pages::~Pages() {
    if (data_ == nullptr) return;
    allow(data_, mapped_);
    munmap(data_, mapped_);
}

Pages::Pages(Pages &&other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      mapped_(std::exchange(other.mapped_, 0)) {}

Pages &Pages::operator=(Pages &&other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(mapped_, other.mapped_);
    return *this;
}

}  // namespace ez_rknn::rknnrt
