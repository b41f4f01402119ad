/* SPDX-License-Identifier: Apache-2.0 */
/* The SoC's static memory: fast and small. A request gets what is left. */
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

namespace ez_rknn::rknnrt::simulated {

class Sram {
  public:
    explicit Sram(uint64_t total) : total_(total), free_(total) {}
    Sram(const Sram &) = delete;
    Sram &operator=(const Sram &) = delete;

    uint64_t total() const { return total_; }
    uint64_t free() const { return free_; }

    class Share;
    /* Takes at most `wanted` bytes. */
    Share take(uint64_t wanted);

  private:
    const uint64_t total_;
    std::atomic<uint64_t> free_;
};

/* A part of it, given back by the destructor. */
class Sram::Share {
  public:
    Share() = default;
    ~Share() {
        if (of_ != nullptr) of_->free_ += bytes_;
    }
    Share(Share &&other) noexcept : of_(std::exchange(other.of_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
    Share &operator=(Share &&other) noexcept {
        std::swap(of_, other.of_);
        std::swap(bytes_, other.bytes_);
        return *this;
    }
    Share(const Share &) = delete;
    Share &operator=(const Share &) = delete;

    uint64_t bytes() const { return bytes_; }

  private:
    friend class Sram;
    Share(Sram &of, uint64_t bytes) : of_(&of), bytes_(bytes) {}

    Sram *of_ = nullptr;
    uint64_t bytes_ = 0;
};

inline Sram::Share Sram::take(uint64_t wanted) {
    uint64_t left = free_;
    uint64_t taken = 0;
    do {
        taken = left < wanted ? left : wanted;
    } while (!free_.compare_exchange_weak(left, left - taken));
    return Share(*this, taken);
}

}  // namespace ez_rknn::rknnrt::simulated
