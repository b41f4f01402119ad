/* SPDX-License-Identifier: Apache-2.0 */
#include "rknnrt/file/operator_attributes.h"

#include <cstring>

#include "rknnrt/file/bson.h"

namespace ez_rknn::rknnrt {

namespace {

/* Returns false if the attribute has elements of another type already. */
template <typename Value>
bool append(OperatorAttribute &attribute, rknn_tensor_type type, Value value) {
    if (attribute.count != 0 && attribute.type != type) return false;
    attribute.type = type;
    const auto *bytes = reinterpret_cast<const uint8_t *>(&value);
    attribute.data.insert(attribute.data.end(), bytes, bytes + sizeof value);
    ++attribute.count;
    return true;
}

bool append_text(OperatorAttribute &attribute, const std::string &text) {
    if (attribute.count != 0 && attribute.type != RKNN_TENSOR_UINT8) return false;
    attribute.type = RKNN_TENSOR_UINT8;
    attribute.data.insert(attribute.data.end(), text.begin(), text.end());
    attribute.data.push_back(0);
    attribute.count = static_cast<uint32_t>(attribute.data.size() - 1);
    return true;
}

bool append_number(OperatorAttribute &attribute, int64_t value, bool real) {
    if (real) return append(attribute, RKNN_TENSOR_FLOAT32, static_cast<float>(value));
    return append(attribute, RKNN_TENSOR_INT64, value);
}

bool append_value(OperatorAttribute &attribute, const Bytes &bytes, const BsonMember &value, bool real) {
    switch (value.type) {
        case bson::real: {
            const uint64_t bits = bytes.u64(value.value, "attribute");
            double number = 0;
            std::memcpy(&number, &bits, sizeof number);
            return append(attribute, RKNN_TENSOR_FLOAT32, static_cast<float>(number));
        }
        case bson::int32:
            return append_number(attribute, bytes.i32(value.value, "attribute"), real);
        case bson::int64:
            return append_number(attribute, static_cast<int64_t>(bytes.u64(value.value, "attribute")), real);
        case bson::boolean:
            return append_number(attribute, bytes.u8(value.value, "attribute"), real);
        case bson::text:
            return append_text(attribute, bson_text(bytes, value.value));
        default:
            return false;
    }
}

bool append_list(OperatorAttribute &attribute, const Bytes &bytes, const BsonMember &list, bool real) {
    BsonDocument items(bytes, list.value, bytes.size());
    for (BsonMember item; items.next(item);) {
        if (!append_value(attribute, bytes, item, real)) return false;
    }
    return true;
}

/* An attribute that the interface cannot express, such as a list of lists, has no elements. */
OperatorAttribute read_attribute(const Bytes &bytes, const BsonMember &entry) {
    const BsonAttribute stored = read_bson_attribute(bytes, entry);
    OperatorAttribute attribute;
    attribute.name = entry.name;
    const bool real = stored.dtype == "f" || stored.dtype == "fs";  // whole numbers among them are integers
    const bool is_list = stored.value.type == bson::array;
    const bool is_said = is_list ? append_list(attribute, bytes, stored.value, real)
                                 : append_value(attribute, bytes, stored.value, real);
    if (is_said) return attribute;
    OperatorAttribute empty;
    empty.name = entry.name;
    return empty;
}

}  // namespace

std::vector<OperatorAttribute> read_operator_attributes(const Bytes &document) {
    std::vector<OperatorAttribute> attributes;
    BsonDocument entries(document, 0, document.size());
    for (BsonMember entry; entries.next(entry);) attributes.push_back(read_attribute(document, entry));
    return attributes;
}

}  // namespace ez_rknn::rknnrt
