/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of a .rknn file: slot and type of every field that is checked.
 *
 * The same tables, with what the fields mean, are in docs/reference/rknn-format.md, and in
 * src/ez_rknn_async/model/format/schema.py, whose bounds these are: both readers take the same files. A field that is
 * not read here is checked all the same, because the other reader, or the vendor's runtime, follows it. */
#pragma once

#include <cstddef>
#include <cstdint>

namespace ez_rknn::rknnrt {

enum class FieldType : uint8_t {
    u8,
    i32, /* or u32, or f32: four bytes */
    u64,
    text,
    literal,   /* a text that spells a value */
    described, /* a literal: a dict of dicts with "dtype" and "layout" */
    numbers,   /* a vector of at most `limit` numbers of four bytes */
    exactly,   /* a vector of `limit` numbers of four bytes, or of none */
    texts,     /* a vector of at most `limit` texts */
    bytes,     /* a vector that is not read */
    words,     /* the same, of four bytes each */
    table,
    tables,
    position, /* a table whose type is in another field */
};

struct TableSchema;

struct FieldSchema {
    uint32_t slot;
    const char *name;
    FieldType type;
    uint32_t limit = 0;
    const TableSchema *table = nullptr;
};

struct TableSchema {
    /* A table of which no field is checked. */
    constexpr explicit TableSchema(const char *table) : name(table) {}
    template <size_t Count>
    constexpr TableSchema(const char *table, const FieldSchema (&list)[Count])
        : name(table), fields(list), count(Count) {}

    constexpr const FieldSchema *begin() const { return fields; }
    constexpr const FieldSchema *end() const { return fields + count; }

    const char *name;
    const FieldSchema *fields = nullptr;
    size_t count = 0;
};

/* The file's header fields; they are read again with the rest. */
extern const TableSchema header_schema;
extern const TableSchema root_schema;

/* Returns the parameters of an operator by the number of its type, as a compiler of that version (major * 10000 + minor
 * * 100 + patch) writes them; those of an unknown type have no fields. */
const TableSchema &parameter_schema(uint8_t type, int32_t toolkit);

}  // namespace ez_rknn::rknnrt
