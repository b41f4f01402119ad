/* SPDX-License-Identifier: Apache-2.0 */
#include "rknnrt/memory/coherence.h"

#include <sys/stat.h>

#include <array>
#include <atomic>
#include <cstring>

namespace ez_rknn::rknnrt {

namespace {

/* Shared by the handles of one file: the number of times that it was flushed or written by the NPU. Two files that
 * share a counter only forget checksums more often than necessary. */
std::array<std::atomic<uint64_t>, 1024> events;

/* Not cryptographic; any number of zeros has checksum 0. */
uint64_t checksum_of(const uint8_t *data, size_t size) {
    uint64_t sums[4] = {};
    const auto add = [&](uint64_t &sum, uint64_t word) {
        sum = (sum ^ word) * 0x9E3779B97F4A7C15;
        sum ^= sum >> 29;
    };
    size_t at = 0;
    for (; at + sizeof sums <= size; at += sizeof sums) {
        uint64_t words[4];
        std::memcpy(words, data + at, sizeof words);
        for (size_t lane = 0; lane < 4; ++lane) add(sums[lane], words[lane]);
    }
    for (; at < size; ++at) add(sums[0], data[at]);
    for (size_t lane = 1; lane < 4; ++lane) add(sums[0], sums[lane]);
    return sums[0];
}

}  // namespace

void Coherence::begin(int fd, bool fresh) {
    const Lock lock(mutex_);
    struct stat file{};
    if (fstat(fd, &file) == 0) file_ = (file.st_ino + file.st_dev * 31) % events.size();
    known_ = fresh;
    checksum_ = 0;
    seen_ = events[file_];
}

void Coherence::flushed(const uint8_t *data, size_t size) {
    const Lock lock(mutex_);
    checksum_ = checksum_of(data, size);
    known_ = true;
    seen_ = ++events[file_];
}

void Coherence::flushed_unseen() {
    const Lock lock(mutex_);
    known_ = false;
    ++events[file_];
}

void Coherence::written_by_npu() {
    flushed_unseen();
}

bool Coherence::is_stale(const uint8_t *data, size_t size) {
    const Lock lock(mutex_);
    known_ = known_ && seen_ == events[file_];
    return known_ && checksum_ != checksum_of(data, size);
}

}  // namespace ez_rknn::rknnrt
