/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/mutate.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <random>

#include "tests/fuzz/places.h"

/* libFuzzer's own mutator, where it is linked. */
extern "C" __attribute__((weak)) size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t capacity);

namespace ez_rknn::tests::fuzz {

namespace {

constexpr size_t header_size = 64;
constexpr uint64_t hostile[] = {0,          1,          2,          3,          4,          5,          7,
                                8,          15,         16,         17,         63,         64,         65,
                                0x7F,       0x80,       0xFF,       0x100,      1024,       1025,       0x7FFF,
                                0x8000,     0xFFFF,     0x10000,    0x10001,    0x7FFFFFFF, 0x80000000, 0xFFFFFFFC,
                                0xFFFFFFFF, 0x3F800000, 0x7F800000, 0x7FC00000, 0x00000001, 0xFF7FFFFF, UINT64_MAX};

class Mutation {
  public:
    Mutation(uint8_t *buffer, size_t size, unsigned seed)
        : random_(seed), buffer_(buffer), size_(size), places_(find_places(buffer, size)) {}

    void change() {
        switch (below(8)) {
            case 0:
            case 1:
            case 2:
                return change_number();
            case 3:
                return change_offset();
            case 4:
                return change_length();
            case 5:
                return change_slot();
            case 6:
                return change_bytes();
            default:
                return change_anything();
        }
    }

    size_t below(size_t limit) { return limit == 0 ? 0 : random_() % limit; }

  private:
    void put(size_t at, uint64_t value, size_t bytes) {
        if (at < size_ && bytes <= size_ - at) std::memcpy(buffer_ + at, &value, bytes);
    }
    uint64_t get(size_t at, size_t bytes) const {
        uint64_t value = 0;
        if (at < size_ && bytes <= size_ - at) std::memcpy(&value, buffer_ + at, bytes);
        return value;
    }

    uint64_t changed(uint64_t value) {
        switch (below(4)) {
            case 0:
                return hostile[below(std::size(hostile))];
            case 1:
                return value + 1 + below(16);
            case 2:
                return value - 1 - below(16);
            default:
                return value ^ uint64_t{1} << below(32);
        }
    }

    /* Changes a number to one from another table, or to any other. */
    void change_number() {
        if (places_.numbers.empty()) return change_anything();
        const Places::Number place = places_.numbers[below(places_.numbers.size())];
        const Places::Number other = places_.numbers[below(places_.numbers.size())];
        const bool copy = other.size == place.size && below(4) == 0;
        put(place.position, copy ? get(other.position, other.size) : changed(get(place.position, place.size)),
            place.size);
    }

    /* Changes an offset to another structure of the file, the mutation hardest to detect. */
    void change_offset() {
        if (places_.offsets.empty()) return change_anything();
        const size_t place = places_.offsets[below(places_.offsets.size())];
        const size_t other = places_.offsets[below(places_.offsets.size())];
        const uint64_t elsewhere = other + get(other, 4) - place;
        put(place, below(4) != 0 ? elsewhere : changed(get(place, 4)), 4);
    }

    void change_length() {
        if (places_.lengths.empty()) return change_anything();
        const size_t place = places_.lengths[below(places_.lengths.size())];
        put(place, below(2) != 0 ? below(get(place, 4) + 2) : changed(get(place, 4)), 4);
    }

    void change_slot() {
        if (places_.slots.empty()) return change_anything();
        const size_t place = places_.slots[below(places_.slots.size())];
        const size_t other = places_.slots[below(places_.slots.size())];
        put(place, below(2) != 0 ? get(other, 2) : changed(get(place, 2)), 2);
    }

    void change_bytes() {
        if (places_.bytes.empty()) return change_anything();
        const Places::Number place = places_.bytes[below(places_.bytes.size())];
        constexpr char letters[] = "[](){}'\",:0\\ex-n\0\1\2\3\4\5\10\12\20\21\22\377Concst";
        for (size_t i = 0; i <= below(4); ++i) {
            buffer_[place.position + below(place.size)] = static_cast<uint8_t>(letters[below(sizeof letters)]);
        }
    }

    void change_anything() {
        if (size_ == 0) return;
        const size_t place = below(size_);
        if (LLVMFuzzerMutate != nullptr && below(2) != 0) {
            const size_t length = std::min<size_t>(size_ - place, 1 + below(32));
            LLVMFuzzerMutate(buffer_ + place, length, length);
        } else {
            buffer_[place] = static_cast<uint8_t>(changed(buffer_[place]));
        }
    }

    std::minstd_rand random_;
    uint8_t *const buffer_;
    const size_t size_;
    const Places places_;
};

uint64_t flatbuffer_size(const uint8_t *data, size_t size) {
    uint64_t length = 0;
    if (size >= header_size) std::memcpy(&length, data + 16, sizeof length);
    return std::min<uint64_t>(length, size < header_size ? 0 : size - header_size);
}

}  // namespace

size_t mutate(uint8_t *data, size_t size, size_t capacity, unsigned seed) {
    const uint64_t length = flatbuffer_size(data, size);
    std::minstd_rand random(seed);
    const bool blindly = length < 8 || random() % 32 == 0;
    if (blindly && LLVMFuzzerMutate != nullptr) return LLVMFuzzerMutate(data, size, capacity);
    uint8_t *const begin = blindly ? data : data + header_size;
    Mutation mutation(begin, blindly ? size : length, seed);
    for (size_t i = 0; i <= mutation.below(3); ++i) mutation.change();
    return size;
}

}  // namespace ez_rknn::tests::fuzz
