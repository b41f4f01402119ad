# SPDX-License-Identifier: Apache-2.0
"""Inputs of text models: files, words and sentences, as the numbers that their programs make of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .model import Arrays, Assets, Package, Samples

RUSSIAN = ("переводчик", "подводный", "безграничность", "учительница", "перестройка", "дом", "вечером", "самолёт")
KHMER = "ភាសាខ្មែរជាភាសាផ្លូវការរបស់ប្រទេសកម្ពុជានិងមានអ្នកនិយាយជាច្រើនលាននាក់ក្នុងពិភពលោក"


def files(half: int, *named: tuple[Package, str]) -> Samples:
    """Return a maker of the first and last ``half`` bytes of files in packages; 256 where there are none."""

    def samples(assets: Assets) -> Sequence[Arrays]:
        return [[_ends(assets.path(package, name).read_bytes(), half)] for package, name in named]

    return samples


def _ends(content: bytes, half: int) -> NDArray[np.int32]:
    first, last = list(content.strip()[:half]), list(content.strip()[-half:])
    padding = [256] * (2 * half - len(first) - len(last))
    return np.array([first + padding + last], np.int32)


def khmer(package: Package, length: int) -> Samples:
    """Return a maker of pieces of a sentence, as the package's table numbers its characters."""

    def samples(assets: Assets) -> Sequence[Arrays]:
        table = json.loads(assets.path(package, "khmersm/config.json").read_text(encoding="utf-8"))["char2id"]
        pieces = [(KHMER[3 * i :] + KHMER)[:length] for i in range(8)]
        return [[np.array([[table.get(letter, 1) for letter in piece]], np.int64)] for piece in pieces]

    return samples


def russian(package: Package, length: int) -> Samples:
    """Return a maker of words, as the package's table numbers their letters."""

    def samples(assets: Assets) -> Sequence[Arrays]:
        path = assets.path(package, "slovorez/models/slovorez-test/config.json")
        table = json.loads(path.read_text(encoding="utf-8"))["mapping"]["tokenizer_vocab"]
        numbered = ([table[letter] for letter in word] + [table["EOW"]] for word in RUSSIAN)
        return [[np.array([numbers + [0] * (length - len(numbers))], np.int32)] for numbers in numbered]

    return samples
