#include "rknnrt/memory/memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "rknnrt/base/status.h"

namespace ez_rknn::simulator {

namespace {

constexpr uint64_t unknown_address = UINT64_MAX; /* as the vendor's library has it for imported memory */

/* Addresses as the NPU would see them: made up, page by page, never twice. */
uint64_t next_npu_address(uint32_t size) {
    static std::atomic<uint64_t> next{0x10000000};
    constexpr uint64_t page = 4096;
    return next.fetch_add((size + page - 1) / page * page);
}

/* Bytes of a regular file, or of a dma-buf, which only lseek tells. */
int64_t file_size(int fd) {
    struct stat file{};
    if (fstat(fd, &file) != 0) return -1;
    return S_ISREG(file.st_mode) ? file.st_size : lseek(fd, 0, SEEK_END);
}

}  // namespace

Memory::Memory(uint32_t size, uint64_t alloc_flags, Sram::Share sram)
    : size_(size),
      alloc_flags_(alloc_flags),
      own_(true),
      has_address_(true),
      offset_(0),
      fd_(-1),
      sram_(std::move(sram)) {
    create();
    coherence_.begin(fd_, true);
    handle_ = std::make_unique<rknn_tensor_mem>();
    *handle_ = {data_, next_npu_address(size), fd_, 0, size, RKNN_TENSOR_MEMORY_FLAGS_ALLOC_INSIDE, this};
}

Memory::Memory(int32_t fd, void *virt_addr, uint32_t size, int32_t offset)
    : size_(size),
      alloc_flags_(RKNN_FLAG_MEMORY_FLAGS_DEFAULT),
      own_(false),
      has_address_(virt_addr != nullptr),
      offset_(offset),
      fd_(fd) {
    handle_ = std::make_unique<rknn_tensor_mem>();
    *handle_ = {virt_addr, unknown_address, fd, offset, size, RKNN_TENSOR_MEMORY_FLAGS_ALLOC_INSIDE, nullptr};
}

/* A plain descriptor, not one of those that a forked child closes: a child may import it, as it may a dma-buf. The file
 * is sealed against shrinking: a mapping without its file would be a trap for whoever touches it next. */
void Memory::create() {
    fd_ = memfd_create("ez_rknn_memory", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    const bool made = fd_ >= 0 && ftruncate(fd_, size_) == 0;
    const int error = errno;
    if (made) fcntl(fd_, F_ADD_SEALS, F_SEAL_SHRINK);
    try {
        if (!made) fail(RKNN_ERR_MALLOC_FAIL, "making ", size_, " bytes of memory: ", std::strerror(error));
        pages_ = Pages::shared(fd_, 0, size_);
    } catch (...) {
        if (fd_ >= 0) close(fd_);
        throw;
    }
    data_ = pages_.data();
}

Memory::~Memory() {
    if (own_) close(fd_);
}

void Memory::import() {
    const std::lock_guard<std::mutex> lock(import_mutex_);
    if (data_ == nullptr) map_file();
}

void Memory::map_file() {
    const int64_t available = file_size(fd_);
    if (available < 0) {
        fail(RKNN_ERR_PARAM_INVALID, "file descriptor ", fd_,
             " is no memory that the NPU can import: ", std::strerror(errno));
    }
    if (offset_ < 0 || available < offset_ + int64_t{size_}) {
        fail(RKNN_ERR_PARAM_INVALID, "the memory is to have ", size_, " bytes from offset ", offset_,
             ", but file descriptor ", fd_, " has ", available);
    }
    const int64_t begin = offset_ / sysconf(_SC_PAGESIZE) * sysconf(_SC_PAGESIZE);
    const size_t length = static_cast<size_t>(offset_ - begin) + size_;
    const int access = fcntl(fd_, F_GETFL) & O_ACCMODE;
    writable_ = access == O_RDWR;
    pages_ = writable_ ? Pages::shared(fd_, begin, length) : Pages::readonly_shared(fd_, begin, length);
    coherence_.begin(fd_, false);
    data_ = pages_.data() + (offset_ - begin);
}

/* Memory of somebody else may be flushed before it is ever bound; if it cannot be imported, binding it will say why. */
void Memory::flush(bool look) {
    if (look && data_ == nullptr) {
        try {
            import();
        } catch (const StatusError &) {
            return;
        }
    }
    if (look) {
        coherence_.flushed(data_, size_);
    } else {
        coherence_.flushed_unseen();
    }
}

}  // namespace ez_rknn::simulator
