/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the tables of a FlatBuffer that SchemaCheck has passed.
 *
 * A table is read field by field through its vtable; absent fields are their default. Every access is checked against
 * the buffer all the same. */
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "rknnrt/base/bytes.h"

namespace ez_rknn::rknnrt {

class Table {
  public:
    Table(const Bytes &buffer, uint64_t position);

    bool has(uint32_t field) const { return slot(field) != 0; }
    uint8_t u8(uint32_t field) const;
    int32_t i32(uint32_t field) const;
    uint32_t u32(uint32_t field) const { return static_cast<uint32_t>(i32(field)); }
    uint64_t u64(uint32_t field) const;
    std::string string(uint32_t field) const;
    std::vector<int32_t> ints(uint32_t field) const;
    std::vector<float> floats(uint32_t field) const;
    /* The position of the object that the field, which must be present, points to. */
    uint64_t position(uint32_t field) const { return target(slot(field)); }
    std::vector<Table> tables(uint32_t field) const;
    /* A byte vector, in place. */
    Bytes bytes(uint32_t field) const;
    /* The number of elements, of `size` bytes each, of the vector. */
    uint32_t count(uint32_t field, uint32_t size) const;

  private:
    /* The position of the field's value in the buffer; 0 if the field is absent. */
    uint64_t slot(uint32_t field) const;
    /* The position of the object that the 32-bit offset at `position` points to. */
    uint64_t target(uint64_t position) const;
    /* The elements of the vector in the field, each `size` bytes: their number, and the position of the first. */
    uint32_t vector(uint32_t field, uint32_t size, uint64_t &first) const;
    std::vector<uint32_t> words(uint32_t field) const;

    Bytes buffer_;
    uint64_t position_ = 0;
    uint64_t vtable_ = 0;
    uint32_t field_count_ = 0;
};

}  // namespace ez_rknn::rknnrt
