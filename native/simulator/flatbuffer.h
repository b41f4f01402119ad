/* Reading FlatBuffers that nobody vouches for.
 *
 * A table is read field by field through its vtable; absent fields are their default. Every access is checked against
 * the buffer, and everything copied out of it is charged to a budget: offsets may point anywhere, so a small file can
 * name the same long string a million times, and without the budget it would be copied a million times. */
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bytes.h"

namespace ez_rknn::simulator {

/* What may still be copied out of a file. */
class Budget {
  public:
    explicit Budget(uint64_t bytes) : left_(bytes) {}
    void charge(uint64_t bytes);

  private:
    uint64_t left_;
};

class Table {
  public:
    /* The root table of a buffer whose first word is its offset. */
    static Table root(const Bytes &buffer, Budget &budget);

    bool has(uint32_t field) const { return slot(field) != 0; }
    uint8_t u8(uint32_t field) const;
    int32_t i32(uint32_t field, int32_t absent = 0) const;
    uint32_t u32(uint32_t field) const { return static_cast<uint32_t>(i32(field)); }
    uint64_t u64(uint32_t field) const;
    std::string string(uint32_t field) const;
    std::vector<int32_t> ints(uint32_t field) const;
    std::vector<float> floats(uint32_t field) const;
    /* The table that the field holds; the field must be there. */
    Table table(uint32_t field) const;
    std::vector<Table> tables(uint32_t field) const;
    /* A byte vector, where it stands; it is charged as if it were copied. */
    Bytes bytes(uint32_t field) const;
    /* The length in bytes of a byte vector, without reading it; 0 when absent. */
    uint32_t byte_count(uint32_t field) const;

  private:
    Table(const Bytes &buffer, uint64_t position, Budget &budget);

    /* Where the field's value stands in the buffer; 0 when the field is absent. */
    uint64_t slot(uint32_t field) const;
    /* Where the object stands to which the 32-bit offset at `position` points. */
    uint64_t target(uint64_t position) const;
    /* The elements of the vector in the field, each `size` bytes: their number, and where the first one stands. */
    uint32_t vector(uint32_t field, uint32_t size, uint64_t &first) const;
    std::vector<uint32_t> words(uint32_t field) const;

    Bytes buffer_;
    uint64_t position_ = 0;
    uint64_t vtable_ = 0;
    uint32_t field_count_ = 0;
    Budget *budget_;
};

}  // namespace ez_rknn::simulator
