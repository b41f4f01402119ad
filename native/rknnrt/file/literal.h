/* The texts of a model file that spell a value, in Python or in JSON.
 *
 * Nothing here needs what they say, but a file is only taken if they can be read: the other reader of these files does
 * need them (src/ez_rknn_async/model/format/text.py, whose grammar and bounds these are), and both take the same files.
 */
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "rknnrt/base/bytes.h"

namespace ez_rknn::rknnrt {

/* As much of a value as is asked about. */
struct Literal {
    enum class Kind : uint8_t { none, text, number, boolean, list, dict };

    Kind kind = Kind::none;
    std::map<std::string, Literal> members; /* of a dict; those of lists are not kept */

    bool has(const char *member) const { return members.count(member) != 0; }
};

/* The value that a text spells; RKNN_ERR_MODEL_INVALID with the offset where it cannot be read. Takes memory for some
 * sixty times the text at most, which may have a million characters. */
Literal read_literal(const Bytes &text);

}  // namespace ez_rknn::rknnrt
