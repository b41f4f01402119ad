/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/simulator/json.h"

#include <cstdlib>
#include <stdexcept>

namespace ez_rknn::tests::json {

namespace {

class Parser {
  public:
    explicit Parser(const std::string &text) : text_(text) {}

    Value document() {
        Value value = read();
        skip();
        if (at_ != text_.size()) fail();
        return value;
    }

  private:
    [[noreturn]] void fail() const { throw std::runtime_error("bad JSON at offset " + std::to_string(at_)); }
    void skip() { at_ = std::min(text_.find_first_not_of(" \t\r\n", at_), text_.size()); }
    char peek() {
        skip();
        return at_ < text_.size() ? text_[at_] : '\0';
    }
    bool take(const std::string &token) {
        skip();
        if (text_.compare(at_, token.size(), token) != 0) return false;
        at_ += token.size();
        return true;
    }
    void expect(const std::string &token) {
        if (!take(token)) fail();
    }

    Value read() {
        Value value;
        switch (peek()) {
            case '{':
                return read_object();
            case '[':
                return read_array();
            case '"':
                value.kind = Value::Kind::string;
                value.string = read_string();
                return value;
            default:
                return read_word();
        }
    }

    Value read_object() {
        Value value;
        value.kind = Value::Kind::object;
        expect("{");
        if (take("}")) return value;
        do {
            skip();
            const std::string key = read_string();
            expect(":");
            value.object[key] = read();
        } while (take(","));
        expect("}");
        return value;
    }

    Value read_array() {
        Value value;
        value.kind = Value::Kind::array;
        expect("[");
        if (take("]")) return value;
        do {
            value.array.push_back(read());
        } while (take(","));
        expect("]");
        return value;
    }

    std::string read_string() {
        expect("\"");
        std::string result;
        while (at_ < text_.size() && text_[at_] != '"') {
            if (text_[at_] != '\\') {
                result += text_[at_++];
                continue;
            }
            const char escape = text_.at(at_ + 1);
            at_ += escape == 'u' ? 6 : 2;
            const std::string plain = "\"\\/";
            if (plain.find(escape) != std::string::npos) result += escape;
            if (escape == 'n') result += '\n';
            if (escape == 't') result += '\t';
        }
        expect("\"");
        return result;
    }

    Value read_word() {
        Value value;
        if (take("null")) return value;
        for (const bool truth : {true, false}) {
            if (!take(truth ? "true" : "false")) continue;
            value.kind = Value::Kind::boolean;
            value.boolean = truth;
            return value;
        }
        for (const char *name : {"NaN", "Infinity", "-Infinity"}) {
            if (take(name)) return value;
        }
        char *end = nullptr;
        value.kind = Value::Kind::number;
        value.number = std::strtod(text_.c_str() + at_, &end);
        if (end == text_.c_str() + at_) fail();
        at_ = static_cast<size_t>(end - text_.c_str());
        return value;
    }

    const std::string &text_;
    size_t at_ = 0;
};

}  // namespace

Value parse(const std::string &text) {
    return Parser(text).document();
}

std::vector<unsigned char> base64(const std::string &text) {
    static const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::vector<unsigned char> bytes;
    unsigned bits = 0;
    int count = 0;
    for (const char letter : text) {
        const size_t digit = digits.find(letter);
        if (digit == std::string::npos) continue;
        bits = bits << 6 | static_cast<unsigned>(digit);
        count += 6;
        if (count < 8) continue;
        count -= 8;
        bytes.push_back(static_cast<unsigned char>(bits >> count));
    }
    return bytes;
}

}  // namespace ez_rknn::tests::json
