# SPDX-License-Identifier: Apache-2.0
"""A histogram of latencies, for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..table import terminal_width

if TYPE_CHECKING:
    import numpy.typing as npt

_ROWS = 10
_A_ROW = 5  # samples, on average at least: fewer draw chance, not a distribution
_WIDEST = 60  # of the longest bar, in characters
_TAIL = 99.0  # percent: what is above goes into one last row, or it would flatten all others


def bins(latency_ms: npt.NDArray[np.float64]) -> list[tuple[float, float, int]]:
    """Return rows of (from, to, number of samples) in milliseconds; the last one holds the tail."""
    low, high = float(latency_ms.min()), float(np.percentile(latency_ms, _TAIL))
    top = float(latency_ms.max())
    if high - low < 1e-9 * max(top, 1e-9):
        return [(low, top, len(latency_ms))]
    rows = max(1, min(_ROWS, len(latency_ms) // _A_ROW))
    counts, edges = np.histogram(latency_ms[latency_ms <= high], bins=rows, range=(low, high))
    filled = [(float(a), float(b), int(n)) for a, b, n in zip(edges, edges[1:], counts)]
    above = int((latency_ms > high).sum())
    return [*filled, (high, top, above)] if above else filled


def histogram(latency_ms: npt.NDArray[np.float64]) -> str:
    """Draw the samples as bars, one row for each step of latency."""
    rows = bins(latency_ms)
    most = max(count for _, _, count in rows)
    labels = [f"{low:.4g} to {high:.4g} ms" for low, high, _ in rows]
    widest, digits = max(map(len, labels)), len(str(most))
    room = min(_WIDEST, max(10, (terminal_width() or 100) - widest - digits - 4))
    return "\n".join(
        f"{label:>{widest}}  {count:>{digits}}  {_bar(count, most, room)}".rstrip()
        for label, (_, _, count) in zip(labels, rows)
    )


def _bar(count: int, most: int, room: int) -> str:
    # A row with samples is never drawn as empty.
    return "#" * max(round(count / most * room), 1 if count else 0)
