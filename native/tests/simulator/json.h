/* SPDX-License-Identifier: Apache-2.0 */
/* Just enough JSON to read the recordings. */
#pragma once

#include <map>
#include <string>
#include <vector>

namespace ez_rknn::tests::json {

struct Value {
    enum class Kind { null, boolean, number, string, array, object } kind = Kind::null;
    bool boolean = false;
    double number = 0;
    std::string string;
    std::vector<Value> array;
    std::map<std::string, Value> object;

    bool has(const std::string &key) const { return object.count(key) != 0; }
    const Value &operator[](const std::string &key) const { return object.at(key); }
    const Value &operator[](size_t index) const { return array.at(index); }
};

/* Throws std::runtime_error. */
Value parse(const std::string &text);
std::vector<unsigned char> base64(const std::string &text);

}  // namespace ez_rknn::tests::json
