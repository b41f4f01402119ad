/* SPDX-License-Identifier: Apache-2.0 */
#include "rknnrt/file/literal.h"

#include <cstring>
#include <optional>
#include <utility>

#include "rknn_abi.h"
#include "rknnrt/base/status.h"
#include "rknnrt/base/utf8.h"

namespace ez_rknn::rknnrt {

namespace {

constexpr size_t most_characters = 1024 * 1024; /* the largest seen has three kilobytes */
constexpr size_t most_bytes = 4;                /* of a character */
constexpr int deepest = 32;                     /* real texts nest five deep */
constexpr size_t most_digits = 40;
constexpr size_t most_values = 100'000; /* keys too */

constexpr std::pair<const char *, Literal::Kind> words[] = {
    {"True", Literal::Kind::boolean},    {"False", Literal::Kind::boolean},    {"true", Literal::Kind::boolean},
    {"false", Literal::Kind::boolean},   {"None", Literal::Kind::none},        {"null", Literal::Kind::none},
    {"nan", Literal::Kind::number},      {"-nan", Literal::Kind::number},      {"NaN", Literal::Kind::number},
    {"-NaN", Literal::Kind::number},     {"inf", Literal::Kind::number},       {"-inf", Literal::Kind::number},
    {"Infinity", Literal::Kind::number}, {"-Infinity", Literal::Kind::number},
};
constexpr std::pair<char, char> simple_escapes[] = {{'n', '\n'},  {'t', '\t'},  {'r', '\r'}, {'b', '\b'}, {'f', '\f'},
                                                    {'\\', '\\'}, {'\'', '\''}, {'"', '"'},  {'/', '/'}};

enum class TokenKind { open, text, number, word, mark };

struct Token {
    TokenKind kind;
    size_t begin;
    size_t end;
};

bool is_digit(char letter) {
    return letter >= '0' && letter <= '9';
}
bool is_letter(char letter) {
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z');
}
bool is_one_of(char letter, const char *letters) {
    return letter != '\0' && std::strchr(letters, letter) != nullptr;
}

/* The characters of a string; escapes may spell the two halves of a surrogate pair. */
class Characters {
  public:
    /* False if it cannot follow the character before. */
    bool add(uint32_t character) {
        const bool second = character >= 0xDC00 && character <= 0xDFFF;
        if (second != (first_half_ != 0)) return false;
        if (second) character = 0x10000 + ((first_half_ - 0xD800) << 10) + (character - 0xDC00);
        first_half_ = character >= 0xD800 && character <= 0xDBFF ? character : 0;
        if (first_half_ == 0) append(character);
        return true;
    }
    bool is_complete() const { return first_half_ == 0; }
    std::string take() { return std::move(text_); }

    /* Adds a byte of text that is UTF-8 already. */
    bool add_byte(char byte) {
        text_ += byte;
        return first_half_ == 0;
    }

  private:
    void append(uint32_t character) {
        const auto continued = [&](unsigned shift) { return static_cast<char>(0x80U | (character >> shift & 0x3FU)); };
        if (character < 0x80) {
            text_ += static_cast<char>(character);
        } else if (character < 0x800) {
            text_ += {static_cast<char>(0xC0U | character >> 6), continued(0)};
        } else if (character < 0x10000) {
            text_ += {static_cast<char>(0xE0U | character >> 12), continued(6), continued(0)};
        } else {
            text_ += {static_cast<char>(0xF0U | character >> 18), continued(12), continued(6), continued(0)};
        }
    }

    std::string text_;
    uint32_t first_half_ = 0; /* 0: no pair is half complete */
};

class Reader {
  public:
    Reader(const char *text, size_t size, uint64_t origin) : text_(text), size_(size), origin_(origin) {}

    Literal whole() {
        Literal value = read(next(), 0);
        skip_space();
        if (at_ != size_) refuse("something follows it");
        return value;
    }

  private:
    [[noreturn]] void refuse(const char *why) const {
        fail(RKNN_ERR_MODEL_INVALID, "damaged model: a text cannot be read: ", why, ", at offset ", origin_ + at_);
    }

    char peek(size_t ahead = 0) const { return at_ + ahead < size_ ? text_[at_ + ahead] : '\0'; }

    void skip_space() {
        while (is_one_of(peek(), " \t\r\n")) ++at_;
    }

    /* ---- Tokens ---- */

    Token next() {
        skip_space();
        const size_t begin = at_;
        const TokenKind kind = skip_token();
        return {kind, begin, at_};
    }

    TokenKind skip_token() {
        const char first = peek();
        if (is_one_of(first, "[({")) return ++at_, TokenKind::open;
        if (is_one_of(first, "])},:")) return ++at_, TokenKind::mark;
        if (is_one_of(first, "'\"") && skip_string(first)) return TokenKind::text;
        if (skip_number()) return TokenKind::number;
        if (skip_word()) return TokenKind::word;
        refuse("a value or a bracket is missing");
    }

    bool skip_string(char quote) {
        for (size_t end = at_ + 1; end < size_; ++end) {
            if (text_[end] == '\\') {
                ++end;
            } else if (text_[end] == quote) {
                at_ = end + 1;
                return true;
            }
        }
        return false;
    }

    /* The number of digits from `ahead` bytes on. */
    size_t digits(size_t ahead) const {
        size_t count = 0;
        while (is_digit(peek(ahead + count))) ++count;
        return count;
    }

    bool skip_number() {
        const size_t sign = is_one_of(peek(), "+-") ? 1 : 0;
        const size_t whole = digits(sign);
        size_t length = sign + whole;
        if (peek(length) == '.') {
            const size_t fraction = digits(length + 1);
            if (whole + fraction != 0) length += 1 + fraction;
        }
        if (length == sign) return false;
        if (is_one_of(peek(length), "eE")) {
            const size_t exponent = length + (is_one_of(peek(length + 1), "+-") ? 2 : 1);
            if (digits(exponent) != 0) length = exponent + digits(exponent);
        }
        at_ += length;
        return true;
    }

    bool skip_word() {
        const size_t sign = is_one_of(peek(), "+-") ? 1 : 0;
        size_t length = sign;
        while (is_letter(peek(length))) ++length;
        if (length == sign) return false;
        at_ += length;
        return true;
    }

    bool is_mark(const Token &token, char mark) const {
        return token.kind == TokenKind::mark && text_[token.begin] == mark;
    }

    /* ---- Values ---- */

    Literal read(const Token &token, int depth) {
        count_value();
        switch (token.kind) {
            case TokenKind::text:
                string(token);
                return {Literal::Kind::text, {}};
            case TokenKind::number:
                check_number(token);
                return {Literal::Kind::number, {}};
            case TokenKind::word:
                return {word(token), {}};
            case TokenKind::open:
                if (depth == deepest) refuse("it is nested too deep");
                return text_[token.begin] == '{' ? dict(depth + 1) : list(text_[token.begin], depth + 1);
            case TokenKind::mark:
                break;
        }
        refuse("a value is missing");
    }

    Literal list(char open, int depth) {
        const char close = open == '[' ? ']' : ')';
        for (Token token = next(); !is_mark(token, close); token = after_member(close)) read(token, depth);
        return {Literal::Kind::list, {}};
    }

    Literal dict(int depth) {
        Literal result{Literal::Kind::dict, {}};
        for (Token token = next(); !is_mark(token, '}'); token = after_member('}')) {
            std::string name = key(token);
            if (!is_mark(next(), ':')) refuse("a key has no value");
            const Token value = next();
            result.members[std::move(name)] = read(value, depth);
        }
        return result;
    }

    void count_value() {
        if (++values_ > most_values) refuse("it has too many values");
    }

    /* Returns a text, or the digits of a number: no text has a zero in front. */
    std::string key(const Token &token) {
        count_value();
        if (token.kind == TokenKind::text) return string(token);
        if (token.kind != TokenKind::number) refuse("a key is neither text nor a number");
        check_number(token);
        return '\0' + std::string(text_ + token.begin, text_ + token.end);
    }

    /* Returns the token after a member: the closing bracket, or the one after a comma. */
    Token after_member(char close) {
        const Token token = next();
        if (is_mark(token, ',')) return next();
        if (!is_mark(token, close)) refuse("a comma or a bracket is missing");
        return token;
    }

    void check_number(const Token &token) const {
        if (token.end - token.begin > most_digits) refuse("a number has too many digits");
    }

    Literal::Kind word(const Token &token) const {
        const std::string spelt(text_ + token.begin, text_ + token.end);
        for (const auto &[known, kind] : words) {
            if (spelt == known) return kind;
        }
        refuse("an unknown word");
    }

    /* Decodes a string. */
    std::string string(const Token &token) const {
        Characters characters;
        for (size_t at = token.begin + 1; at + 1 < token.end;) {
            const bool fits = text_[at] == '\\' ? characters.add(escaped(at)) : characters.add_byte(text_[at++]);
            if (!fits) refuse("a string has half a character");
        }
        if (!characters.is_complete()) refuse("a string has half a character");
        return characters.take();
    }

    /* Decodes the escape that begins with the backslash at `at`; moves `at` behind it. */
    uint32_t escaped(size_t &at) const {
        const char letter = text_[at + 1];
        for (const auto &[name, digits] : {std::pair('x', 2), std::pair('u', 4), std::pair('U', 8)}) {
            if (letter != name) continue;
            const std::optional<uint32_t> number = hexadecimal(at + 2, static_cast<size_t>(digits));
            if (!number || *number > 0x10FFFF) refuse("there is no such character");
            at += 2 + static_cast<size_t>(digits);
            return *number;
        }
        for (const auto &[name, character] : simple_escapes) {
            if (letter != name) continue;
            at += 2;
            return static_cast<unsigned char>(character);
        }
        refuse("an unknown escape");
    }

    std::optional<uint32_t> hexadecimal(size_t at, size_t digits) const {
        uint32_t number = 0;
        for (size_t end = at + digits; at < end; ++at) {
            if (at >= size_) return std::nullopt;
            const char letter = text_[at];
            if (is_digit(letter)) {
                number = number << 4 | static_cast<uint32_t>(letter - '0');
            } else if (is_one_of(letter, "abcdefABCDEF")) {
                number = number << 4 | (static_cast<uint32_t>(letter) % 32 + 9);
            } else {
                return std::nullopt;
            }
        }
        return number;
    }

    const char *text_;
    const size_t size_;
    const uint64_t origin_;
    size_t at_ = 0;
    size_t values_ = 0;
};

}  // namespace

Literal read_literal(const Bytes &text) {
    if (text.size() > most_bytes * most_characters) {
        fail(RKNN_ERR_MODEL_INVALID, "damaged model: a text of ", text.size(), " bytes");
    }
    const uint8_t *bytes = text.at(0, text.size(), "text");
    const std::optional<size_t> characters = utf8_length(bytes, text.size());
    if (!characters) fail(RKNN_ERR_MODEL_INVALID, "damaged model: the text at offset ", text.origin(), " is not UTF-8");
    if (*characters > most_characters) {
        fail(RKNN_ERR_MODEL_INVALID, "damaged model: a text of ", *characters, " characters");
    }
    return Reader(reinterpret_cast<const char *>(bytes), text.size(), text.origin()).whole();
}

}  // namespace ez_rknn::rknnrt
