# SPDX-License-Identifier: Apache-2.0
"""Variants of a good file: each damaged in one place or a few, the same for the same seed.

Blind damage seldom gets past the first check. Most variants therefore still look like a model: a number becomes another
one that such a field may have in some file, an offset points to something else that exists, an operator becomes another
operator.
"""

from __future__ import annotations

import random
import struct
from typing import TYPE_CHECKING, Any

from ez_rknn_async.simulator.lowering.registry import known_operators

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .anatomy import Anatomy, Number, Stretch

    Damage = Callable[[random.Random, bytearray, Anatomy], None]

_INTEGERS = (0, 1, 2, 3, 4, 5, 7, 8, 16, 17, 31, 64, 65, 100, 255, 256, 1000, 4096, 32767, 65536, 10**6, 2**20, 2**24)
_EXTREMES = (-1, -2, -8, -128, 2**28, 2**30, 2**31 - 1, 2**31, 2**32 - 1, 2**32 - 4, 2**40, 2**63 - 1, 2**63, 2**64 - 1)
_REALS = (0.0, -0.0, 1.0, -1.0, 1e-45, 1e-38, 1e-30, 1e-6, 1e6, 1e30, 3e38, float("inf"), float("-inf"), float("nan"))
_TYPES = (*range(17), 64, 65, 128, 255)  # element types, layouts, kinds
_HOSTILE_TEXTS = (
    b"[" * 4096,
    b"{'a':" * 1024,
    b"9" * 4096,
    b"1e" + b"9" * 4096,
    b"'" + b"\\" * 4096,
    b"\xff\xfe" * 64,
    b"{'a': 1,",
    b"'\\ud800'",
    b"None",
    b"()",
    b"\0",
)
OPERATORS = tuple(name.encode() for name in (*known_operators(), "OutputOperator", "cstOperator", "Unknown", ""))


def variant(content: bytes, anatomy: Anatomy, seed: str) -> bytes:
    """Return a variant of the file ``content``, whose parts are ``anatomy``."""
    chance = random.Random(seed)
    changed = bytearray(content)
    (damage,) = chance.choices(_DAMAGE, _WEIGHTS)
    for _ in range(chance.choice((1, 1, 1, 1, 2, 3, 5))):
        damage(chance, changed, anatomy)
        if len(changed) != len(content):  # cut short, or pushed apart: all positions have moved
            break
        if chance.random() < 0.2:
            (damage,) = chance.choices(_DAMAGE, _WEIGHTS)
    return bytes(changed)


def _number(chance: random.Random, content: bytearray, anatomy: Anatomy) -> None:
    """Replace a shape, type, index, scale, task count or attribute."""
    group = chance.choice(anatomy.by_field(anatomy.numbers))
    number = chance.choice(group)
    _write(content, number, _other(chance, content, number, group))


def _other(chance: random.Random, content: bytearray, number: Number, group: Sequence[Number]) -> Any:
    """Return another value for ``number``, often that of another number of the same field."""
    kind = chance.random()
    old = _read(content, number)
    if kind < 0.3:
        return _read(content, chance.choice(group))
    if number.code == "<f":
        return chance.choice((*_REALS, -old, old * 2, old * 1e-20))
    if number.code == "<B" and kind < 0.8:
        return chance.choice(_TYPES)
    if kind < 0.55:
        return old + chance.choice((-2, -1, 1, 2))
    if kind < 0.7:
        return chance.choice((old * 2, old // 2, -old, old * 16, old << 16))
    return chance.choice(_INTEGERS if kind < 0.85 else _EXTREMES)


def _exchange(chance: random.Random, content: bytearray, anatomy: Anatomy) -> None:
    """Exchange two numbers of one field: operands, sizes, types."""
    group = chance.choice(anatomy.by_field(anatomy.numbers))
    one, other = chance.choice(group), chance.choice(group)
    values = _read(content, one), _read(content, other)
    _write(content, one, values[1])
    _write(content, other, values[0])


def _length(chance: random.Random, content: bytearray, anatomy: Anatomy) -> None:
    number = chance.choice(chance.choice(anatomy.by_field(anatomy.lengths)))
    old = _read(content, number)
    rest = len(content) - number.position - 4
    _write(
        content, number, chance.choice((old - 1, old - 1, old + 1, old // 2, old * 2, 0, rest, rest // 4, 2**32 - 1))
    )


def _offset(chance: random.Random, content: bytearray, anatomy: Anatomy) -> None:
    """Point an offset to the target of another, of the same field or of any: cycles, shared and foreign parts."""
    group = chance.choice(anatomy.by_field(anatomy.offsets))
    number = chance.choice(group)
    other = chance.choice(group if chance.random() < 0.6 else anatomy.offsets)
    sign = -1 if number.code == "<i" else 1  # to a field list it is subtracted
    aim = other.position + (-1 if other.code == "<i" else 1) * _read(content, other)
    if chance.random() < 0.15:
        aim = chance.choice((0, number.position, other.position, len(content), chance.randrange(len(content))))
    _write(content, number, sign * (aim - number.position))


def _field_list(chance: random.Random, content: bytearray, anatomy: Anatomy) -> None:
    """Make a field absent, move it, or give it the place of another; or falsify the sizes."""
    group = chance.choice(anatomy.field_lists)
    entries = max(2, group.size // 2)
    position = group.position + 2 * chance.randrange(entries)
    other = struct.unpack_from("<H", content, group.position + 2 * chance.randrange(entries))[0]
    value = chance.choice((0, 0, other, other, 4, 6, chance.randrange(128), 0x7FFF, 0xFFFF))
    struct.pack_into("<H", content, position, value)


def _text(chance: random.Random, content: bytearray, anatomy: Anatomy) -> None:
    names = sorted({text.field for text in anatomy.texts})
    field = chance.choice(names)
    text = chance.choice([text for text in anatomy.texts if text.field == field])
    if not text.size:
        return
    if field == "Node.op":
        _replace(content, text, chance.choice(OPERATORS))
    elif chance.random() < 0.3:
        _replace(content, text, _bytes(content, chance.choice(anatomy.texts)))
    elif chance.random() < 0.6:
        for _ in range(chance.choice((1, 1, 3, 20))):
            content[text.position + chance.randrange(text.size)] = chance.choice(b"[](){}'\",:0\\ex-n1928\x00\xff")
    else:
        _replace(content, text, chance.choice(_HOSTILE_TEXTS))


def _operator(chance: random.Random, content: bytearray, anatomy: Anatomy) -> None:
    """Replace a node's operator by that of another node, or one of the vocabulary."""
    texts = [text for text in anatomy.texts if text.field == "Node.op" and text.size]
    text = chance.choice(texts)
    _replace(content, text, chance.choice((*OPERATORS, *(_bytes(content, other) for other in texts))))


def _document(chance: random.Random, content: bytearray, anatomy: Anatomy) -> None:
    """Change an attribute's value, type, name or length."""
    if not anatomy.documents:
        return _number(chance, content, anatomy)
    document = chance.choice(anatomy.documents)
    at = document.position + chance.randrange(document.size)
    if chance.random() < 0.4:
        content[at] = chance.choice((0, 1, 2, 3, 4, 5, 8, 10, 16, 17, 18, 255))
    elif at + 4 <= len(content):
        struct.pack_into("<I", content, at, chance.choice((*_INTEGERS, *_EXTREMES)) & 0xFFFFFFFF)
    return None


def _data(chance: random.Random, content: bytearray, anatomy: Anatomy) -> None:
    """Change weights, constants, look-up tables, register commands or task records."""
    if not anatomy.data:
        return _number(chance, content, anatomy)
    kinds = sorted({stretch.field for stretch in anatomy.data})
    kind = chance.choice(kinds)
    stretch = chance.choice([stretch for stretch in anatomy.data if stretch.field == kind])
    size = chance.choice((1, 2, 4, 4, 8))
    at = stretch.position + chance.randrange(max(1, stretch.size // size)) * size
    value = chance.choice((*_INTEGERS, *_EXTREMES, 0x7FC00000, 0x7F800000, 0x7E00, 0x3F800000, chance.getrandbits(64)))
    if at + size <= len(content):
        content[at : at + size] = (value & (2 ** (8 * size) - 1)).to_bytes(size, "little")
    return None


def _container(chance: random.Random, content: bytearray, anatomy: Anatomy) -> None:
    """Change the header, the mark of the FlatBuffer, the length of the summary, or the end of the file."""
    (length,) = struct.unpack_from("<Q", content, 16)
    places = [at for at in (0, 4, 8, 16, 16, 24, 64, 68, 64 + length) if at + 8 <= len(content)]
    if chance.random() < 0.3:
        del content[chance.choice((0, 3, 64, len(content) - 1, chance.randrange(len(content)))) :]
        content += bytes(max(0, 24 - len(content))) if chance.random() < 0.5 else b""
    elif places:
        value = chance.choice((*_INTEGERS, *_EXTREMES, length - 4, length + 4, len(content)))
        struct.pack_into("<Q", content, chance.choice(places), value & (2**64 - 1))


def _blind(chance: random.Random, content: bytearray, anatomy: Anatomy) -> None:
    for _ in range(chance.choice((1, 4, 64))):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)


def _bytes(content: bytearray, stretch: Stretch) -> bytes:
    return bytes(content[stretch.position : stretch.position + stretch.size])


def _replace(content: bytearray, text: Stretch, by: bytes) -> None:
    """Overwrite a text, and at most a few bytes of the padding or the part after it; update its length."""
    by = by[: text.size + (-(text.size + 1) % 4)]
    content[text.position : text.position + len(by) + 1] = by + b"\0"
    if text.field != "summary":
        struct.pack_into("<I", content, text.position - 4, len(by))


def _read(content: bytearray, number: Number) -> Any:
    return struct.unpack_from(number.code, content, number.position)[0]


def _write(content: bytearray, number: Number, value: float) -> None:
    if number.code == "<f":
        content[number.position : number.position + 4] = struct.pack("<f", _single(value))
        return
    size = struct.calcsize(number.code)
    content[number.position : number.position + size] = (int(value) & (2 ** (8 * size) - 1)).to_bytes(size, "little")


def _single(value: float) -> float:
    return value if value != value or abs(value) < 3.4e38 else float("inf")


_DAMAGE: tuple[Damage, ...] = (
    _number, _exchange, _length, _offset, _field_list, _text, _operator, _document, _data, _container, _blind,
)  # fmt: skip
_WEIGHTS = (30, 6, 8, 12, 8, 6, 6, 8, 12, 2, 2)
