/* SPDX-License-Identifier: Apache-2.0 */
/* The texts of a model file that spell a value, in Python or in JSON.
 *
 * The runtime does not use them, but accepts a file only if they can be read: the other reader of these files does use
 * them (src/ez_rknn_async/model/format/text.py, whose grammar and bounds these are), and both accept the same files.
 */
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "rknnrt/base/bytes.h"

namespace ez_rknn::rknnrt {

/* A value, as far as callers ask about it. */
struct Literal {
    enum class Kind : uint8_t { none, text, number, boolean, list, dict };

    Kind kind = Kind::none;
    std::map<std::string, Literal> members; /* of a dict; those of lists are not kept */

    bool has(const char *member) const { return members.count(member) != 0; }
};

/* Returns the value that a text spells; fails with RKNN_ERR_MODEL_INVALID and the offset if it cannot be read. Takes at
 * most some sixty times the memory of the text, which may have a million characters. */
Literal read_literal(const Bytes &text);

}  // namespace ez_rknn::rknnrt
