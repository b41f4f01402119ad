/* SPDX-License-Identifier: Apache-2.0 */
/* BSON, as far as the compiler uses it for the attributes of operators: untrusted documents.
 *
 * {name: {"dtype": "i" | "f" | "s" | "is" | "fs" | "ss", "value": ...}} */
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "rknnrt/base/bytes.h"

namespace ez_rknn::rknnrt {

/* The types of values. */
namespace bson {
constexpr uint8_t real = 0x01, text = 0x02, document = 0x03, array = 0x04, binary = 0x05, boolean = 0x08, null = 0x0A,
                  int32 = 0x10, timestamp = 0x11, int64 = 0x12;
}

struct BsonMember {
    uint8_t type = 0;
    std::string name;
    uint64_t value = 0; /* its offset */
};

/* The members of one document in those bytes, one after the other; RKNN_ERR_MODEL_INVALID for anything else. */
class BsonDocument {
  public:
    /* The document that begins there and ends before `limit`. */
    BsonDocument(const Bytes &bytes, uint64_t begin, uint64_t limit);

    bool next(BsonMember &member);
    /* The end of its last member. */
    uint64_t end() const { return end_; }

  private:
    uint64_t end_of(const BsonMember &member) const;
    uint64_t end_of_text(uint64_t at) const;

    const Bytes &bytes_;
    uint64_t at_;
    uint64_t end_;
};

/* The text at that offset, without its zero. Its document must have been checked. */
std::string bson_text(const Bytes &bytes, uint64_t at);

/* One attribute. */
struct BsonAttribute {
    BsonMember value; /* type 0: there is none */
    std::string dtype;
};
BsonAttribute read_bson_attribute(const Bytes &bytes, const BsonMember &entry);

/* True if it is a document at all: some operators have other bytes in its place. */
bool is_bson_document(const Bytes &bytes);

/* Checks a whole document: it is well formed, no deeper than any real one, and each attribute that is not given
 * elsewhere has a value of the type that it names. */
void check_bson_attributes(const Bytes &bytes, const std::function<bool(const std::string &)> &is_given);

}  // namespace ez_rknn::rknnrt
