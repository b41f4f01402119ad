/* The enumerations of the interface, as numbers.
 *
 * A C program may hand in any number in the place of an enumeration. In C++ it is undefined already to read one that is
 * out of range, so these are read as the bytes that they are, and checked before anything else looks at them. */
#pragma once

#include <cstdint>
#include <cstring>

namespace ez_rknn::rknnrt {

template <typename Enumeration>
int32_t number_of(const Enumeration &value) {
    int32_t number = 0;
    static_assert(sizeof number == sizeof value);
    std::memcpy(&number, &value, sizeof number);
    return number;
}

}  // namespace ez_rknn::rknnrt
