# SPDX-License-Identifier: Apache-2.0
"""Plain-text tables: headings with units, numbers to the right, text to the left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Union

if TYPE_CHECKING:
    from collections.abc import Sequence

Cell = Union[str, int, float, None]


class Table:
    """Rows under headings, for people; every command that prints one also has ``--json``."""

    def __init__(self, columns: Sequence[str]) -> None:
        self._columns = list(columns)
        self._rows: list[list[Cell]] = []

    def row(self, *cells: Cell) -> Table:
        """Add a row; None is an empty cell, and a float is shown with three significant digits or more."""
        if len(cells) != len(self._columns):
            raise ValueError(f"{len(cells)} cells for {len(self._columns)} columns")
        self._rows.append(list(cells))
        return self

    def render(self) -> str:
        """Return the table as text, without a line break at its end."""
        texts = [[_text(cell) for cell in row] for row in self._rows]
        widths = [max(map(len, column)) for column in zip(self._columns, *texts)]
        numeric = [all(_is_number(row[i]) for row in self._rows) for i in range(len(self._columns))]
        lines = [self._columns, ["-" * width for width in widths], *texts]
        return "\n".join(
            "  ".join(
                cell.rjust(width) if right else cell.ljust(width) for cell, width, right in zip(line, widths, numeric)
            ).rstrip()
            for line in lines
        )


def _text(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, float):
        return f"{cell:.0f}" if abs(cell) >= 1000 else f"{cell:.3g}" if abs(cell) < 1 else f"{cell:.4g}"
    return str(cell)


def _is_number(cell: Cell) -> bool:
    return cell is None or isinstance(cell, (int, float))
