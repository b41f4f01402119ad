/* SPDX-License-Identifier: Apache-2.0 */
#include "rknnrt/file/bson.h"

#include <set>

#include "rknn_abi.h"
#include "rknnrt/base/status.h"
#include "rknnrt/base/utf8.h"

namespace ez_rknn::rknnrt {

namespace {

constexpr int deepest = 16;               /* real documents nest three deep */
constexpr uint64_t smallest_document = 5; /* its length and a zero */

[[noreturn]] void refuse(const Bytes &bytes, uint64_t at, const char *why) {
    fail(RKNN_ERR_MODEL_INVALID, "damaged model: in the attributes of an operator, ", why, ", at offset ",
         bytes.origin() + at);
}

bool is_list_or_document(uint8_t type) {
    return type == bson::document || type == bson::array;
}

/* Checks everything in the document, at every depth. */
void check_document(const Bytes &bytes, uint64_t begin, uint64_t limit, int depth) {
    if (depth > deepest) refuse(bytes, begin, "documents are nested too deep");
    BsonDocument document(bytes, begin, limit);
    for (BsonMember member; document.next(member);) {
        if (is_list_or_document(member.type)) check_document(bytes, member.value, document.end(), depth + 1);
    }
}

/* True if a value may have the type that the first letter of an attribute's dtype names. */
bool is_of_type(uint8_t type, char letter) {
    const bool whole = type == bson::int32 || type == bson::int64 || type == bson::timestamp;
    if (letter == 'i') return whole;
    if (letter == 'f') return whole || type == bson::real;
    return type == bson::text;
}

bool is_known_type(const std::string &dtype) {
    for (const char *known : {"i", "f", "s", "is", "fs", "ss"}) {
        if (dtype == known) return true;
    }
    return false;
}

bool is_of_named_type(const Bytes &bytes, const BsonAttribute &attribute) {
    if (!is_known_type(attribute.dtype)) return true;
    const bool is_list = attribute.value.type == bson::array;
    if (is_list != (attribute.dtype.size() == 2)) return false;
    if (!is_list) return is_of_type(attribute.value.type, attribute.dtype[0]);
    BsonDocument items(bytes, attribute.value.value, bytes.size());
    for (BsonMember item; items.next(item);) {
        if (!is_of_type(item.type, attribute.dtype[0])) return false;
    }
    return true;
}

}  // namespace

BsonDocument::BsonDocument(const Bytes &bytes, uint64_t begin, uint64_t limit) : bytes_(bytes), at_(begin + 4) {
    const uint64_t length = bytes.u32(begin, "length of an attribute");
    if (length < smallest_document || length > limit - begin)
        refuse(bytes, begin, "a document has an impossible length");
    end_ = begin + length - 1;
    if (bytes.u8(end_, "attribute") != 0) refuse(bytes, end_, "a document does not end with a zero byte");
}

bool BsonDocument::next(BsonMember &member) {
    if (at_ >= end_) return false;
    member.type = bytes_.u8(at_, "type of an attribute");
    const uint64_t name = at_ + 1;
    uint64_t stop = name;
    while (stop < end_ && bytes_.u8(stop, "name of an attribute") != 0) ++stop;
    if (stop >= end_) refuse(bytes_, name, "a name does not end");
    const uint8_t *letters = bytes_.at(name, stop - name, "name of an attribute");
    if (!utf8_length(letters, stop - name)) refuse(bytes_, name, "a name is not UTF-8");
    member.name.assign(reinterpret_cast<const char *>(letters), stop - name);
    member.value = stop + 1;
    at_ = end_of(member);
    return true;
}

uint64_t BsonDocument::end_of(const BsonMember &member) const {
    uint64_t end = member.value;
    switch (member.type) {
        case bson::null:
            break;
        case bson::real:
        case bson::timestamp:
        case bson::int64:
            end += 8;
            break;
        case bson::int32:
            end += 4;
            break;
        case bson::boolean:
            end += 1;
            break;
        case bson::text:
            end = end_of_text(member.value);
            break;
        case bson::binary:
            end += 5 + uint64_t{bytes_.u32(member.value, "length of an attribute")};
            break;
        case bson::document:
        case bson::array:
            end = BsonDocument(bytes_, member.value, end_).end() + 1;
            break;
        default:
            refuse(bytes_, member.value, "a value has an unknown type");
    }
    if (end > end_) refuse(bytes_, member.value, "a value is cut short");
    return end;
}

uint64_t BsonDocument::end_of_text(uint64_t at) const {
    const uint64_t length = bytes_.u32(at, "length of a text");  // with the zero at its end
    if (length == 0 || at + 4 + length > end_) refuse(bytes_, at, "a text has an impossible length");
    const uint8_t *text = bytes_.at(at + 4, length, "text of an attribute");
    if (text[length - 1] != 0) refuse(bytes_, at, "a text does not end with a zero byte");
    if (!utf8_length(text, length - 1)) refuse(bytes_, at, "a text is not UTF-8");
    return at + 4 + length;
}

std::string bson_text(const Bytes &bytes, uint64_t at) {
    const uint64_t length = bytes.u32(at, "length of a text") - 1;
    return std::string(reinterpret_cast<const char *>(bytes.at(at + 4, length, "text of an attribute")), length);
}

BsonAttribute read_bson_attribute(const Bytes &bytes, const BsonMember &entry) {
    BsonAttribute attribute;
    if (entry.type != bson::document) return attribute;
    BsonDocument fields(bytes, entry.value, bytes.size());
    for (BsonMember field; fields.next(field);) {
        if (field.name == "value") attribute.value = field;
        if (field.name == "dtype") attribute.dtype = field.type == bson::text ? bson_text(bytes, field.value) : "";
    }
    return attribute;
}

bool is_bson_document(const Bytes &bytes) {
    return bytes.size() >= smallest_document && bytes.u32(0, "attributes") == bytes.size() &&
           bytes.u8(bytes.size() - 1, "attributes") == 0;
}

void check_bson_attributes(const Bytes &bytes, const std::function<bool(const std::string &)> &is_given) {
    check_document(bytes, 0, bytes.size(), 0);
    std::set<std::string> wrong;  // of several attributes with one name the last is used
    BsonDocument entries(bytes, 0, bytes.size());
    for (BsonMember entry; entries.next(entry);) {
        const BsonAttribute attribute = read_bson_attribute(bytes, entry);
        const bool right = attribute.value.type != 0 && is_of_named_type(bytes, attribute);
        wrong.erase(entry.name);
        if (!right) wrong.insert(entry.name);
    }
    for (const std::string &name : wrong) {
        if (is_given(name)) continue;
        fail(RKNN_ERR_MODEL_INVALID, "damaged model: attribute '", name, "' has no value of its type");
    }
}

}  // namespace ez_rknn::rknnrt
