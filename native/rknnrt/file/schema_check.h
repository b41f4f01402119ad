/* Whether the tables of a FlatBuffer are what the schema says.
 *
 * This is the one pass over an untrusted file: every table, offset, length and text in it that the schema
 * names is checked, and charged to a budget: offsets may point anywhere, so a small file can name the same long text a
 * million times. A large file has bounds too, more than a hundred times what the largest known model needs. What has
 * passed is read with Table (flatbuffer.h). */
#pragma once

#include <cstdint>

#include "rknnrt/base/bytes.h"
#include "rknnrt/file/schema.h"

namespace ez_rknn::rknnrt {

class SchemaCheck {
  public:
    explicit SchemaCheck(const Bytes &buffer);

    /* Checks the table at that position and all that it leads to; RKNN_ERR_MODEL_INVALID says what is wrong. */
    void table(uint64_t position, const TableSchema &schema);
    /* Counts the bytes of a document of attributes that is read. */
    void count_attributes(uint64_t bytes);
    /* Where the offset at that position points to. */
    uint64_t target(uint64_t position) const;

  private:
    struct Vector {
        uint64_t first; /* where its first element stands */
        uint64_t count;
    };

    /* Counts bytes that are read against what a file of this size may say. */
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
