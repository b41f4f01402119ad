/* SPDX-License-Identifier: Apache-2.0 */
#include "rknnrt/base/file_descriptor.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <set>
#include <utility>

#include "common/mutex.h"
#include "rknn_abi.h"
#include "rknnrt/base/status.h"

namespace ez_rknn::rknnrt {

namespace {

struct OpenDescriptors {
    Mutex mutex; /* held while a descriptor is opened or closed */
    std::set<int> set EZ_RKNN_GUARDED_BY(mutex);
};

/* Never destroyed: contexts that were never destroyed still have descriptors when the process ends. */
OpenDescriptors &open_descriptors() {
    static OpenDescriptors *const descriptors = std::make_unique<OpenDescriptors>().release();
    return *descriptors;
}

}  // namespace

FileDescriptor::FileDescriptor(int fd) : fd_(fd) {
    if (fd_ < 0) return;
    OpenDescriptors &descriptors = open_descriptors();
    const Lock lock(descriptors.mutex);
    descriptors.set.insert(fd_);
}

void FileDescriptor::close() {
    if (fd_ < 0) return;
    OpenDescriptors &descriptors = open_descriptors();
    const Lock lock(descriptors.mutex);
    descriptors.set.erase(fd_);
    ::close(std::exchange(fd_, -1));
}

FileDescriptor::~FileDescriptor() {
    close();
}

FileDescriptor::FileDescriptor(FileDescriptor &&other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

FileDescriptor &FileDescriptor::operator=(FileDescriptor &&other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
}

FileDescriptor FileDescriptor::memory(const char *name, unsigned long long size) {
    FileDescriptor file(memfd_create(name, MFD_CLOEXEC));
    if (!file || ftruncate(file.get(), static_cast<off_t>(size)) != 0) {
        fail(RKNN_ERR_MALLOC_FAIL, "cannot make ", size, " bytes of shared memory: ", std::strerror(errno));
    }
    return file;
}

FileDescriptor FileDescriptor::open_readonly(const char *path) {
    // Without O_NONBLOCK a named pipe would keep the program waiting for its writer.
    FileDescriptor file(open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!file) fail(RKNN_ERR_MODEL_INVALID, "cannot open model '", path, "': ", std::strerror(errno));
    return file;
}

size_t FileDescriptor::size() const {
    struct stat file{};
    return fstat(fd_, &file) == 0 && S_ISREG(file.st_mode) ? static_cast<size_t>(file.st_size) : 0;
}

FileVersion FileDescriptor::version() const {
    struct stat file{};
    fstat(fd_, &file);
    return {file.st_size, file.st_mtim.tv_sec, file.st_mtim.tv_nsec};
}

/* These two are called around fork, one after the other. */
void lock_descriptors_for_fork() EZ_RKNN_UNANALYSED {
    open_descriptors().mutex.lock();
}
void unlock_descriptors_after_fork() EZ_RKNN_UNANALYSED {
    open_descriptors().mutex.unlock();
}

void close_descriptors_in_child() {
    OpenDescriptors &descriptors = open_descriptors();
    descriptors.mutex.assert_held();
    for (int fd : descriptors.set) ::close(fd);
    descriptors.set.clear();
}

}  // namespace ez_rknn::rknnrt
