/* SPDX-License-Identifier: Apache-2.0 */
#include "rknnrt/file/schema_check.h"

#include <cstring>
#include <unordered_set>

#include "rknn_abi.h"
#include "rknnrt/base/status.h"
#include "rknnrt/base/utf8.h"
#include "rknnrt/file/literal.h"

namespace ez_rknn::rknnrt {

namespace {

constexpr uint64_t offset_size = 4;
constexpr uint64_t spare_budget = 64 * 1024; /* so that small files, which share more, are not refused */
constexpr uint64_t table_cost = 64;          /* besides its content: about the bytes that a real one takes */
constexpr uint64_t most_tables = 1U << 17;
constexpr uint64_t most_numbers = 1U << 20;
constexpr uint64_t most_text = 1U << 24; /* bytes, as of attributes */
constexpr uint64_t most_attributes = 1U << 20;

void take(uint64_t &left, uint64_t count, const char *what) {
    if (count > left) fail(RKNN_ERR_MODEL_INVALID, "damaged model: it has far more ", what, " than any real one");
    left -= count;
}

/* The size of a field inside the table. */
uint64_t inline_size(FieldType type) {
    switch (type) {
        case FieldType::u8:
            return 1;
        case FieldType::u64:
            return 8;
        case FieldType::i32:
        case FieldType::text:
        case FieldType::literal:
        case FieldType::described:
        case FieldType::numbers:
        case FieldType::exactly:
        case FieldType::texts:
        case FieldType::bytes:
        case FieldType::words:
        case FieldType::table:
        case FieldType::tables:
        case FieldType::position:
            break;
    }
    return offset_size;
}

template <typename... Words>
[[noreturn]] void refuse(const Bytes &buffer, uint64_t position, const Words &...words) {
    fail(RKNN_ERR_MODEL_INVALID, "damaged model: ", words..., ", at offset ", buffer.origin() + position);
}

bool is_described(const Literal &literal) {
    if (literal.kind == Literal::Kind::none) return true;
    if (literal.kind != Literal::Kind::dict) return false;
    for (const auto &[name, tensor] : literal.members) {
        if (!tensor.has("dtype") || !tensor.has("layout")) return false;
    }
    return true;
}

}  // namespace

SchemaCheck::SchemaCheck(const Bytes &buffer)
    : buffer_(buffer),
      left_(buffer.size() + spare_budget),
      tables_left_(most_tables),
      numbers_left_(most_numbers),
      text_left_(most_text),
      attributes_left_(most_attributes) {}

void SchemaCheck::charge(uint64_t bytes) {
    if (bytes > left_) {
        fail(RKNN_ERR_MODEL_INVALID, "damaged model: its tables refer to far more data than the file holds");
    }
    left_ -= bytes;
}

void SchemaCheck::count_attributes(uint64_t bytes) {
    charge(bytes);
    take(attributes_left_, bytes, "attributes");
}

uint64_t SchemaCheck::target(uint64_t position) const {
    const uint64_t target = position + buffer_.u32(position, "offset");
    if (target == position || target + offset_size > buffer_.size()) {
        refuse(buffer_, position, "an offset points outside the FlatBuffer");
    }
    return target;
}

void SchemaCheck::table(uint64_t position, const TableSchema &schema) {
    charge(table_cost);
    take(tables_left_, 1, "tables");
    const int64_t signed_vtable = static_cast<int64_t>(position) - buffer_.i32(position, "table");
    if (signed_vtable < 0) refuse(buffer_, position, "a table has no field list");
    const auto vtable = static_cast<uint64_t>(signed_vtable);
    const uint64_t vtable_size = buffer_.u16(vtable, "field list of a table");
    const uint64_t table_size = buffer_.u16(vtable + 2, "field list of a table");
    if (vtable_size < 4 || vtable_size % 2 != 0) refuse(buffer_, vtable, "a field list has ", vtable_size, " bytes");
    buffer_.at(vtable, vtable_size, "field list of a table");
    if (table_size < offset_size) refuse(buffer_, vtable, "a table has ", table_size, " bytes");
    buffer_.at(position, table_size, "table");
    for (const FieldSchema &entry : schema) {
        if (entry.slot >= (vtable_size - 4) / 2) continue;
        const uint64_t offset = buffer_.u16(vtable + 4 + 2 * uint64_t{entry.slot}, "field list of a table");
        if (offset == 0) continue;
        if (offset < offset_size || offset + inline_size(entry.type) > table_size) {
            refuse(buffer_, position, "field ", entry.slot, " (", entry.name, ") lies outside its ", schema.name,
                   " table");
        }
        field(position + offset, entry);
    }
}

void SchemaCheck::field(uint64_t position, const FieldSchema &entry) {
    switch (entry.type) {
        case FieldType::u8:
        case FieldType::i32:
        case FieldType::u64:
            return;  // inside the table
        case FieldType::text:
            text(position);
            return;
        case FieldType::literal:
            return literal(position, false);
        case FieldType::described:
            return literal(position, true);
        case FieldType::numbers:
        case FieldType::exactly:
            numbers(position, entry);
            return;
        case FieldType::texts:
            return texts(position, entry);
        case FieldType::bytes:
            vector(position, 1);
            return;
        case FieldType::words:
            vector(position, 4);
            return;
        case FieldType::table:
            return table(target(position), *entry.table);
        case FieldType::tables:
            return tables(position, *entry.table);
        case FieldType::position:
            target(position);
            return;
    }
}

SchemaCheck::Vector SchemaCheck::vector(uint64_t position, uint64_t item_size) const {
    const uint64_t start = target(position);
    const uint64_t count = buffer_.u32(start, "length of a vector");
    buffer_.at(start + offset_size, count * item_size, "vector");
    return {start + offset_size, count};
}

SchemaCheck::Vector SchemaCheck::numbers(uint64_t position, const FieldSchema &field) {
    const Vector found = vector(position, 4);
    const bool fits =
        field.type == FieldType::exactly ? found.count == 0 || found.count == field.limit : found.count <= field.limit;
    if (!fits) {
        refuse(buffer_, found.first, "field ", field.name, " has ", found.count, " numbers where ", field.limit,
               " make sense");
    }
    charge(offset_size + 4 * found.count);
    take(numbers_left_, found.count, "numbers");
    return found;
}

SchemaCheck::Vector SchemaCheck::text(uint64_t position) {
    const Vector found = vector(position, 1);
    charge(offset_size + found.count);
    take(text_left_, found.count, "text");
    if (buffer_.u8(found.first + found.count, "end of a text") != 0) {
        refuse(buffer_, found.first, "a text does not end with a zero byte");
    }
    const uint8_t *text = buffer_.at(found.first, found.count, "text");
    if (!utf8_length(text, found.count)) refuse(buffer_, found.first, "a text is not UTF-8");
    if (found.count != 0 && std::memchr(text, 0, found.count) != nullptr) {
        refuse(buffer_, found.first, "a text has a zero byte before its end");
    }
    return found;
}

void SchemaCheck::texts(uint64_t position, const FieldSchema &field) {
    const Vector found = vector(position, offset_size);
    if (found.count > field.limit) refuse(buffer_, found.first, "field ", field.name, " has ", found.count, " texts");
    for (uint64_t i = 0; i < found.count; ++i) text(found.first + offset_size * i);
}

/* No compiler writes one table twice into a list. */
void SchemaCheck::tables(uint64_t position, const TableSchema &schema) {
    const Vector found = vector(position, offset_size);
    std::unordered_set<uint64_t> seen;
    for (uint64_t i = 0; i < found.count; ++i) {
        const uint64_t entry = target(found.first + offset_size * i);
        if (!seen.insert(entry).second) refuse(buffer_, entry, "a list has the same ", schema.name, " table twice");
        table(entry, schema);
    }
}

/* An empty text counts as absent. */
void SchemaCheck::literal(uint64_t position, bool described) {
    const Vector found = text(position);
    if (found.count == 0) return;
    const Literal literal = read_literal(buffer_.slice(found.first, found.count, "text"));
    const bool fits =
        described ? is_described(literal) : literal.kind == Literal::Kind::none || literal.kind == Literal::Kind::dict;
    if (!fits) refuse(buffer_, found.first, "a text does not describe what it should");
}

}  // namespace ez_rknn::rknnrt
