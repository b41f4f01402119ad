# SPDX-License-Identifier: Apache-2.0
"""Plain-text tables: headings with units, numbers to the right, text to the left, no wider than the terminal.

A table that does not fit first wraps its headings and shortens its longest texts a little, then drops its least
important columns, and says which; ``--json`` has them all.
"""

from __future__ import annotations

import os
import sys
import unicodedata
from typing import TYPE_CHECKING, Union

if TYPE_CHECKING:
    from collections.abc import Sequence

Cell = Union[str, int, float, None]

_GAP = "  "
_SHORTEST = 16  # characters: no text is shortened to fewer while there is a column that may be left out
_STUMP = 6  # and to fewer than these never
_NARROWEST = 20  # a terminal that claims less is not believed


def terminal_width() -> int | None:
    """Return the columns of the terminal that standard output is; None if it is none, and any width will do.

    The environment variable ``COLUMNS`` goes before it.
    """
    given = os.environ.get("COLUMNS", "")
    if given.isascii() and given.isdigit() and int(given):
        return max(int(given), _NARROWEST)
    try:
        if not sys.stdout.isatty():
            return None
        return max(os.get_terminal_size(sys.stdout.fileno()).columns, _NARROWEST)
    except (OSError, ValueError):
        return None


class Table:
    """Rows under headings, for people; every command that prints one also has ``--json``."""

    def __init__(self, columns: Sequence[str], optional: Sequence[str] = ()) -> None:
        """Make an empty table.

        Args:
            columns: the headings.
            optional: those that may be left out on a narrow terminal, the least important first.
        """
        self._columns = list(columns)
        self._optional = list(optional)
        self._rows: list[list[Cell]] = []

    def row(self, *cells: Cell) -> Table:
        """Add a row; None is an empty cell, and a float is shown with three significant digits or more."""
        if len(cells) != len(self._columns):
            raise ValueError(f"{len(cells)} cells for {len(self._columns)} columns")
        self._rows.append(list(cells))
        return self

    def render(self, width: int | None = None) -> str:
        """Return the table as text of at most ``width`` columns, without a line break at its end.

        The default width is the terminal's.
        """
        limit = terminal_width() if width is None else width
        columns = [_Column(heading, [row[i] for row in self._rows]) for i, heading in enumerate(self._columns)]
        if limit is None:
            return _drawn(columns)
        dropped: list[str] = []
        for heading in self._optional:
            if _squeezed(columns, limit, _SHORTEST):
                break
            dropped.append(heading)
            columns = [column for column in columns if column.heading != heading]
            for column in columns:
                column.relax()
        else:
            _squeezed(columns, limit, _STUMP)
        text = _drawn(columns)
        return f"{text}\n{_left_out(dropped, limit)}" if dropped else text


class _Column:
    """A heading and the texts below it, with the width that they get."""

    def __init__(self, heading: str, cells: Sequence[Cell]) -> None:
        self.heading = heading
        self.numeric = all(cell is None or isinstance(cell, (int, float)) for cell in cells)
        self.texts = [_text(cell) for cell in cells]
        self.longest = max(map(columns_of, self.texts), default=0)
        self.relax()

    def relax(self) -> None:
        """Give it as much room as it likes."""
        self.width = max(self.longest, columns_of(self.heading))

    def least(self, shortest: int) -> int:
        """Return the width below which it cannot be read: numbers are never shortened."""
        body = self.longest if self.numeric else min(self.longest, shortest)
        return max([body, *map(columns_of, self.heading.split())])

    def lines(self) -> tuple[list[str], list[str]]:
        """Return the heading in lines, and the texts, none longer than the width."""
        return _wrapped(self.heading, self.width), [_shortened(text, self.width) for text in self.texts]


def _squeezed(columns: Sequence[_Column], limit: int, shortest: int) -> bool:
    """Narrow columns until the table fits, if it can: headings wrap first, then the longest texts are shortened."""
    for column in columns:
        too_wide = _width(columns) - limit
        if too_wide > 0:
            column.width = max(column.least(shortest), column.width - too_wide, column.longest)
    while _width(columns) > limit:
        room, widest = max(
            ((column.width - column.least(shortest), column) for column in columns), key=lambda it: it[0]
        )
        if room <= 0:
            return False
        widest.width -= 1
    return True


def _width(columns: Sequence[_Column]) -> int:
    return sum(column.width for column in columns) + len(_GAP) * (len(columns) - 1)


def _drawn(columns: Sequence[_Column]) -> str:
    headings, bodies = zip(*(column.lines() for column in columns))
    height = max(map(len, headings))
    cells = [
        [""] * (height - len(heading)) + heading + ["-" * column.width] + body
        for column, heading, body in zip(columns, headings, bodies)
    ]
    return "\n".join(
        _GAP.join(_padded(text, column) for text, column in zip(line, columns)).rstrip() for line in zip(*cells)
    )


def _padded(text: str, column: _Column) -> str:
    room = " " * (column.width - columns_of(text))
    return room + text if column.numeric else text + room


def columns_of(text: str) -> int:
    """Return the columns that a text takes on a terminal: ideographs take two, combining marks none."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(unicodedata.combining(character) > 0 for character in text)


def _shortened(text: str, width: int) -> str:
    """Keep the end of a long name, which tells layers apart; its beginning is the same for many."""
    if columns_of(text) <= width:
        return text
    while columns_of(text) > width - 2:
        text = text[1:]
    return ".." + text


def _wrapped(text: str, width: int) -> list[str]:
    if columns_of(text) <= width:
        return [text]
    lines = [""]
    for word in text.split():
        joined = f"{lines[-1]} {word}".strip()
        if columns_of(joined) <= width:
            lines[-1] = joined
        else:
            lines.append(word)
    return [line for line in lines if line]


def _left_out(dropped: Sequence[str], limit: int) -> str:
    return "\n".join(_wrapped(f"(no room for: {', '.join(dropped)}; a wider terminal or --json shows it)", limit))


def folded(text: str, mark: str = "") -> str:
    """Return prose in lines that fit the terminal, if there is one; ``mark`` hangs before the first."""
    limit = terminal_width()
    if limit is None:
        return mark + text
    lines = [part for line in text.split("\n") for part in _wrapped(line, limit - len(mark))]
    return "\n".join((mark if number == 0 else " " * len(mark)) + line for number, line in enumerate(lines))


def _text(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, float):
        return f"{cell:.0f}" if abs(cell) >= 1000 else f"{cell:.3g}" if abs(cell) < 1 else f"{cell:.4g}"
    return str(cell)
