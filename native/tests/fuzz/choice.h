/* SPDX-License-Identifier: Apache-2.0 */
/* Repeatable choices among a few, made by a file's content and a number. */
#pragma once

#include <cstddef>
#include <cstdint>

namespace ez_rknn::tests::fuzz {

class Choice {
  public:
    Choice(const uint8_t *data, size_t size, uint32_t round) : state_(0xCBF29CE484222325 + round) {
        for (size_t i = 0; i < size; ++i) state_ = (state_ ^ data[i]) * 0x100000001B3;
    }
    uint32_t below(uint32_t limit) {
        state_ = state_ * 6364136223846793005 + 1442695040888963407;
        return static_cast<uint32_t>(state_ >> 33) % limit;
    }

  private:
    uint64_t state_;
};

}  // namespace ez_rknn::tests::fuzz
