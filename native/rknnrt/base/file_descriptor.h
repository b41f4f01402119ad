/* SPDX-License-Identifier: Apache-2.0 */
/* File descriptors that close themselves, also in a forked child.
 *
 * Every descriptor here is close-on-exec. A forked child that does not exec inherits them all the same, and while it
 * holds a device socket the device does not see its host end; so open descriptors are kept in a set, which the child
 * closes (process.cpp). */
#pragma once

#include <cstddef>

namespace ez_rknn::rknnrt {

/* Changes when a file's content does, but not when it is renamed or deleted. */
struct FileVersion {
    long long size = 0;
    long long written_s = 0;
    long written_ns = 0;
    bool operator==(const FileVersion &other) const {
        return size == other.size && written_s == other.written_s && written_ns == other.written_ns;
    }
};

class FileDescriptor {
  public:
    FileDescriptor() = default;
    /* Takes over the descriptor; -1 is none. */
    explicit FileDescriptor(int fd);
    ~FileDescriptor();
    FileDescriptor(FileDescriptor &&other) noexcept;
    FileDescriptor &operator=(FileDescriptor &&other) noexcept;
    FileDescriptor(const FileDescriptor &) = delete;
    FileDescriptor &operator=(const FileDescriptor &) = delete;

    int get() const { return fd_; }
    explicit operator bool() const { return fd_ >= 0; }
    void close();
    /* The size of the file in bytes. */
    size_t size() const;
    FileVersion version() const;

    /* Anonymous memory as a file. */
    static FileDescriptor memory(const char *name, unsigned long long size);
    static FileDescriptor open_readonly(const char *path);

  private:
    int fd_ = -1;
};

/* Called around fork: no descriptor is opened or closed meanwhile, and the child closes all of them. */
void lock_descriptors_for_fork();
void unlock_descriptors_after_fork();
void close_descriptors_in_child();

}  // namespace ez_rknn::rknnrt
