/* SPDX-License-Identifier: Apache-2.0 */
/* A check of a FlatBuffer's tables against the schema.
 *
 * This is the one pass over an untrusted file: every table, offset, length and text that the schema names is checked,
 * and charged to a budget: offsets may point anywhere, so a small file can refer to one long text a million times.
 * Large files have bounds too, more than a hundred times what the largest known model needs. A file that passes is read
 * with Table (flatbuffer.h). */
#pragma once

#include <cstdint>

#include "rknnrt/base/bytes.h"
#include "rknnrt/file/schema.h"

namespace ez_rknn::rknnrt {

class SchemaCheck {
  public:
    explicit SchemaCheck(const Bytes &buffer);

    /* Checks the table at that position and all that it leads to; fails with RKNN_ERR_MODEL_INVALID, saying what is
     * wrong. */
    void table(uint64_t position, const TableSchema &schema);
    /* Counts the bytes of a document of attributes. */
    void count_attributes(uint64_t bytes);
    /* The target of the offset at that position. */
    uint64_t target(uint64_t position) const;

  private:
    struct Vector {
        uint64_t first; /* position of its first element */
        uint64_t count;
    };

    /* Charges bytes that are read to the budget of a file of this size. */
    void charge(uint64_t bytes);
    Vector vector(uint64_t position, uint64_t item_size) const;
    Vector numbers(uint64_t position, const FieldSchema &field);
    Vector text(uint64_t position);
    void texts(uint64_t position, const FieldSchema &field);
    void tables(uint64_t position, const TableSchema &schema);
    void literal(uint64_t position, bool described);
    void field(uint64_t position, const FieldSchema &field);

    const Bytes buffer_;
    uint64_t left_;
    /* Of any file: */
    uint64_t tables_left_;
    uint64_t numbers_left_;
    uint64_t text_left_;
    uint64_t attributes_left_;
};

}  // namespace ez_rknn::rknnrt
