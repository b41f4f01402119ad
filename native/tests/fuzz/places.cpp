/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/places.h"

#include <algorithm>

#include "rknnrt/base/bytes.h"
#include "rknnrt/base/status.h"
#include "rknnrt/file/fields.h"
#include "rknnrt/file/schema.h"

namespace ez_rknn::tests::fuzz {

namespace {

using namespace ez_rknn::rknnrt;

constexpr size_t most_tables = 4096; /* a damaged file may have any number */

class Walk {
  public:
    Walk(const Bytes &buffer, Places &places) : buffer_(buffer), places_(places) {}

    void table(uint64_t position, const TableSchema &schema) {
        if (++tables_ > most_tables) return;
        places_.offsets.push_back(position);
        const uint64_t vtable = position - static_cast<uint64_t>(int64_t{buffer_.i32(position, "table")});
        const uint64_t size = buffer_.u16(vtable, "field list");
        buffer_.at(vtable, size, "field list");
        for (uint64_t at = 0; at + 2 <= size; at += 2) places_.slots.push_back(vtable + at);
        const auto field_at = [&](uint32_t slot) -> uint64_t {
            if (4 + 2 * uint64_t{slot} + 2 > size) return 0;
            const uint64_t offset = buffer_.u16(vtable + 4 + 2 * uint64_t{slot}, "field list");
            return offset == 0 ? 0 : position + offset;
        };
        for (const FieldSchema &entry : schema) {
            const uint64_t at = field_at(entry.slot);
            if (at == 0) continue;
            if (entry.type != FieldType::position) {
                field(at, entry);
            } else if (const uint64_t type = field_at(fields::node::parameters_type)) {
                places_.offsets.push_back(at);
                table(target(at), parameter_schema(buffer_.u8(type, "type of parameters"), newest_toolkit));
            }
        }
    }

  private:
    static constexpr int32_t newest_toolkit = 99999;

    uint64_t target(uint64_t position) const { return position + buffer_.u32(position, "offset"); }

    void number(uint64_t position, size_t size) {
        buffer_.at(position, size, "number");
        places_.numbers.push_back({position, size});
    }

    void field(uint64_t position, const FieldSchema &entry) {
        switch (entry.type) {
            case FieldType::u8:
                return number(position, 1);
            case FieldType::i32:
                return number(position, 4);
            case FieldType::u64:
                return number(position, 8);
            case FieldType::text:
            case FieldType::literal:
            case FieldType::described:
            case FieldType::bytes:
                return bytes(position);
            case FieldType::numbers:
            case FieldType::exactly:
            case FieldType::words:
                return elements(position, [&](uint64_t at) { number(at, 4); });
            case FieldType::texts:
                return elements(position, [&](uint64_t at) { bytes(at); });
            case FieldType::table:
                places_.offsets.push_back(position);
                return table(target(position), *entry.table);
            case FieldType::tables:
                return elements(position, [&](uint64_t at) {
                    places_.offsets.push_back(at);
                    table(target(at), *entry.table);
                });
            case FieldType::position:
                return;
        }
    }

    void bytes(uint64_t position) {
        const uint64_t start = vector(position);
        const uint64_t count = buffer_.u32(start, "length");
        buffer_.at(start + 4, count, "bytes");
        if (count != 0) places_.bytes.push_back({start + 4, count});
    }

    template <typename Visit>
    void elements(uint64_t position, Visit visit) {
        const uint64_t start = vector(position);
        const uint64_t count = std::min<uint64_t>(buffer_.u32(start, "length"), most_tables);
        for (uint64_t i = 0; i < count; ++i) visit(start + 4 + 4 * i);
    }

    uint64_t vector(uint64_t position) {
        places_.offsets.push_back(position);
        const uint64_t start = target(position);
        buffer_.at(start, 4, "length");
        places_.lengths.push_back(start);
        return start;
    }

    const Bytes &buffer_;
    Places &places_;
    size_t tables_ = 0;
};

}  // namespace

Places find_places(const uint8_t *buffer, size_t size) {
    Places places;
    const Bytes bytes(buffer, size);
    try {
        places.offsets.push_back(0);
        Walk(bytes, places).table(bytes.u32(0, "root"), root_schema);
    } catch (const StatusError &) {
        // The file was damaged already: the places found so far are enough.
    }
    return places;
}

}  // namespace ez_rknn::tests::fuzz
