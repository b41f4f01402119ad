/* SPDX-License-Identifier: Apache-2.0 */
/* The enumerations of the interface, as numbers.
 *
 * A C program may pass any number as an enumeration. In C++ even reading one out of range is undefined, so these are
 * read as bytes, and checked before any other use. */
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
