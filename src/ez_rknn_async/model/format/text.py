# SPDX-License-Identifier: Apache-2.0
"""A reader for the texts inside a model file: JSON and Python literals.

The compiler writes some metadata as JSON and some as the ``repr`` of a Python dict. The two differ only in how they
spell strings and constants, so one reader serves both. :func:`json.loads` and :func:`ast.literal_eval` have no bounds:
a few hundred kilobytes of brackets or digits cost them the stack, or seconds, or a lot of memory.
"""

from __future__ import annotations

import math
import re
from typing import Any, NoReturn

from ...errors import RknnModelError

_MAX_SIZE = 1024 * 1024  # characters; the largest text seen has three kilobytes
_MOST_BYTES = 4  # of a UTF-8 character
_MAX_DEPTH = 32  # real texts nest five deep
_MAX_DIGITS = 40
_MAX_VALUES = 100_000  # keys too: each costs a microsecond or two, however short it is

_TOKEN = re.compile(
    r"""[ \t\r\n]*(?:
      (?P<open>[\[({])
    | (?P<string>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
    | (?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)
    | (?P<word>[-+]?[A-Za-z]+)
    | (?P<mark>[\])},:])
    )""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_SPACE = re.compile(r"[ \t\r\n]*")
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)
_SIMPLE_ESCAPES = {
    "n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "\\": "\\", "'": "'", '"': '"', "/": "/",
}  # fmt: skip
_WORDS = {
    "True": True, "False": False, "None": None,
    "true": True, "false": False, "null": None,
    "nan": math.nan, "-nan": math.nan, "NaN": math.nan, "-NaN": math.nan,
    "inf": math.inf, "-inf": -math.inf, "Infinity": math.inf, "-Infinity": -math.inf,
}  # fmt: skip
_CLOSES = {"[": "]", "(": ")", "{": "}"}


def parse_text(text: str, offset: int) -> Any:
    """Return the value that ``text`` spells: dicts, lists (also for tuples), strings, numbers, booleans, None.

    ``offset`` is where the text lies in the file; a fault is an ``RknnModelError`` with that offset.
    """
    if len(text) > _MAX_SIZE:
        raise RknnModelError(f"the model has a text of {len(text)} bytes, more than any real one", offset=offset)
    return _Parser(text, offset).document()


def decode_utf8(data: memoryview, offset: int) -> str:
    """Decode ``data``, which lies at ``offset`` in the file."""
    if len(data) > _MOST_BYTES * _MAX_SIZE:  # too many characters to parse, however they are encoded
        raise RknnModelError(f"the model has a text of {len(data)} bytes, more than any real one", offset=offset)
    try:
        return str(data, "utf-8")
    except UnicodeDecodeError as error:
        raise RknnModelError("the model file is damaged: a text is not UTF-8", offset=offset + error.start) from None


class _Parser:
    def __init__(self, text: str, offset: int) -> None:
        self._text = text
        self._offset = offset
        self._position = 0
        self._values = 0

    def document(self) -> Any:
        value = self._value(*self._next(), 0)
        end = _SPACE.match(self._text, self._position)
        if end is not None and end.end() != len(self._text):
            self._fail("something follows it")
        return value

    def _fail(self, why: str) -> NoReturn:
        around = self._text[max(0, self._position - 10) : self._position + 10]
        message = f"the model file is damaged: a text cannot be read: {why}, near {around!r}"
        # Texts are nearly always ASCII, so characters are bytes.
        raise RknnModelError(message, offset=self._offset + self._position)

    def _next(self) -> tuple[str, str]:
        """Return the kind and the text of the next token."""
        match = _TOKEN.match(self._text, self._position)
        if match is None:
            self._fail("a value or a bracket is missing")
        self._position = match.end()
        kind = match.lastgroup or ""
        return kind, match.group(kind)

    def _value(self, kind: str, token: str, depth: int) -> Any:
        self._values += 1
        if self._values > _MAX_VALUES:
            self._fail(f"it has more than {_MAX_VALUES} values")
        if kind == "string":
            return self._string(token)
        if kind == "number":
            return self._number(token)
        if kind == "word" and token in _WORDS:
            return _WORDS[token]
        if kind != "open":
            self._fail(f"{token[:20]!r} is not a value")
        if depth == _MAX_DEPTH:
            self._fail(f"it is nested more than {_MAX_DEPTH} deep")
        return self._dict(depth + 1) if token == "{" else self._list(_CLOSES[token], depth + 1)

    def _list(self, close: str, depth: int) -> list[Any]:
        values: list[Any] = []
        kind, token = self._next()
        while token != close or kind != "mark":
            values.append(self._value(kind, token, depth))
            kind, token = self._separator(close)
        return values

    def _dict(self, depth: int) -> dict[Any, Any]:
        values: dict[Any, Any] = {}
        kind, token = self._next()
        while token != "}" or kind != "mark":
            if kind not in ("string", "number"):
                self._fail("a key is neither text nor a number")
            key = self._value(kind, token, depth)
            if self._next() != ("mark", ":"):
                self._fail("a key has no value")
            values[key] = self._value(*self._next(), depth)
            kind, token = self._separator("}")
        return values

    def _separator(self, close: str) -> tuple[str, str]:
        """Return the token after a member: the closing bracket, or the first token after a comma."""
        kind, token = self._next()
        if (kind, token) == ("mark", ","):
            return self._next()
        if (kind, token) != ("mark", close):
            self._fail(f"',' or {close!r} is missing")
        return kind, token

    def _number(self, token: str) -> int | float:
        if len(token) > _MAX_DIGITS:
            self._fail(f"a number has {len(token)} digits")
        try:
            return int(token)
        except ValueError:
            return float(token)

    def _string(self, token: str) -> str:
        text = token[1:-1]
        if "\\" not in text:
            return text
        text = _ESCAPE.sub(self._unescape, text)
        try:  # JSON writes characters beyond U+FFFF as two surrogates
            return text.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            self._fail("a string has half a character")

    def _unescape(self, match: re.Match[str]) -> str:
        code = match.group(1) or match.group(2) or match.group(3)
        if code is None:
            simple = _SIMPLE_ESCAPES.get(match.group(4))
            return simple if simple is not None else self._fail(f"unknown escape {match.group()!r}")
        number = int(code, 16)
        return chr(number) if number < 0x110000 else self._fail(f"no character {match.group()!r}")
