#include "operator_attributes.h"

#include <cstring>
#include <utility>

#include "status.h"

namespace ez_rknn::simulator {

namespace {

/* The types of values, as far as the compiler uses them. */
enum BsonType : uint8_t { bson_double = 0x01, bson_text = 0x02, bson_document = 0x03, bson_array = 0x04 };
enum BsonInteger : uint8_t { bson_boolean = 0x08, bson_int32 = 0x10, bson_int64 = 0x12 };

constexpr uint64_t smallest_document = 5; /* its length and a zero */

struct Member {
    uint8_t type = 0;
    std::string name;
    uint64_t value = 0; /* where it stands */
};

/* The members of one document, one after the other. */
class Document {
  public:
    Document(const Bytes &bytes, uint64_t begin) : bytes_(bytes), at_(begin + 4) {
        const uint64_t length = bytes.u32(begin, "length of an attribute");
        if (length < smallest_document)
            fail(RKNN_ERR_MODEL_INVALID, "damaged model: an attribute of ", length, " bytes");
        bytes.at(begin, length, "attribute");
        end_ = begin + length - 1;
    }

    bool next(Member &member) {
        if (at_ >= end_) return false;
        member.type = bytes_.u8(at_, "type of an attribute");
        const uint64_t name = at_ + 1;
        member.value = name;
        while (bytes_.u8(member.value, "name of an attribute") != 0) ++member.value;
        const uint64_t length = member.value - name;
        member.name.assign(reinterpret_cast<const char *>(bytes_.at(name, length, "name")), length);
        ++member.value;
        at_ = member.value + size_of(member);
        return true;
    }

  private:
    uint64_t size_of(const Member &member) const {
        switch (member.type) {
            case bson_double:
            case bson_int64:
                return 8;
            case bson_int32:
                return 4;
            case bson_boolean:
                return 1;
            case bson_text:
                return 4 + uint64_t{bytes_.u32(member.value, "length of a text")};
            case bson_document:
            case bson_array:
                return bytes_.u32(member.value, "length of a list");
            default:
                fail(RKNN_ERR_MODEL_INVALID, "damaged model: attribute '", member.name, "' has unknown type ",
                     int{member.type});
        }
    }

    const Bytes &bytes_;
    uint64_t at_;
    uint64_t end_ = 0;
};

template <typename Value>
void append(OperatorAttribute &attribute, rknn_tensor_type type, Value value) {
    if (attribute.count != 0 && attribute.type != type) {
        fail(RKNN_ERR_MODEL_INVALID, "damaged model: attribute '", attribute.name, "' mixes types");
    }
    attribute.type = type;
    const auto *bytes = reinterpret_cast<const uint8_t *>(&value);
    attribute.data.insert(attribute.data.end(), bytes, bytes + sizeof value);
    ++attribute.count;
}

void append_text(OperatorAttribute &attribute, const Bytes &bytes, uint64_t at) {
    const uint64_t length = bytes.u32(at, "length of a text");  // with the zero at its end
    const uint8_t *text = bytes.at(at + 4, length, "text of an attribute");
    if (length == 0)
        fail(RKNN_ERR_MODEL_INVALID, "damaged model: a text of attribute '", attribute.name, "' has no end");
    attribute.type = RKNN_TENSOR_UINT8;
    attribute.data.insert(attribute.data.end(), text, text + length - 1);
    attribute.data.push_back(0);
    attribute.count = static_cast<uint32_t>(attribute.data.size() - 1);
}

void append_number(OperatorAttribute &attribute, int64_t value, bool real) {
    if (real) return append(attribute, RKNN_TENSOR_FLOAT32, static_cast<float>(value));
    append(attribute, RKNN_TENSOR_INT64, value);
}

void append_value(OperatorAttribute &attribute, const Bytes &bytes, const Member &value, bool real) {
    switch (value.type) {
        case bson_double: {
            const uint64_t bits = bytes.u64(value.value, "attribute");
            double number = 0;
            std::memcpy(&number, &bits, sizeof number);
            return append(attribute, RKNN_TENSOR_FLOAT32, static_cast<float>(number));
        }
        case bson_int32:
            return append_number(attribute, bytes.i32(value.value, "attribute"), real);
        case bson_int64:
            return append_number(attribute, static_cast<int64_t>(bytes.u64(value.value, "attribute")), real);
        case bson_boolean:
            return append_number(attribute, bytes.u8(value.value, "attribute"), real);
        case bson_text:
            return append_text(attribute, bytes, value.value);
        default:
            fail(RKNN_ERR_MODEL_INVALID, "damaged model: attribute '", attribute.name, "' is a list of lists");
    }
}

/* Whether the text at `at` is the name of a type of real numbers: "f" or "fs". Whole ones among them are integers. */
bool names_reals(const Bytes &bytes, uint64_t at) {
    return bytes.u32(at, "length of a text") > 1 && bytes.u8(at + 4, "type of an attribute") == 'f';
}

/* {"dtype": ..., "value": ...} */
OperatorAttribute read_attribute(const Bytes &bytes, const Member &entry) {
    OperatorAttribute attribute;
    attribute.name = entry.name;
    Member value;
    bool real = false;
    if (entry.type == bson_document) {
        Document fields(bytes, entry.value);
        for (Member field; fields.next(field);) {
            if (field.name == "value") value = field;
            if (field.name == "dtype" && field.type == bson_text) real = names_reals(bytes, field.value);
        }
    }
    if (value.type == 0) fail(RKNN_ERR_MODEL_INVALID, "damaged model: attribute '", entry.name, "' has no value");
    if (value.type != bson_array) {
        append_value(attribute, bytes, value, real);
        return attribute;
    }
    Document items(bytes, value.value);
    for (Member item; items.next(item);) append_value(attribute, bytes, item, real);
    return attribute;
}

}  // namespace

std::vector<OperatorAttribute> read_operator_attributes(const Bytes &document) {
    std::vector<OperatorAttribute> attributes;
    Document entries(document, 0);
    for (Member entry; entries.next(entry);) attributes.push_back(read_attribute(document, entry));
    return attributes;
}

}  // namespace ez_rknn::simulator
