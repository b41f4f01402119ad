# SPDX-License-Identifier: Apache-2.0
"""What charts have in common: colours that follow the viewer's light or dark setting, axes, text."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Iterator

_TICKS = 5

# Plain fills first: a program without media queries draws the light chart.
STYLE = """
text { font: 12px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #24292f; }
.title { font-size: 16px; font-weight: 600; }
.minor { fill: #57606a; font-size: 11px; }
.paper { fill: #ffffff; }
.stripe { fill: #f4f6f8; }
.grid { stroke: #d8dee4; stroke-width: 1; }
.line { stroke: #0969da; stroke-width: 1.5; fill: none; }
.dot { fill: #0969da; }
.bar { fill: #8c959f; }
.marked { fill: #cf222e; }
.strong { font-weight: 600; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .minor { fill: #8d96a0; }
  .paper { fill: #0d1117; }
  .stripe { fill: #161b22; }
  .grid { stroke: #30363d; }
  .line { stroke: #58a6ff; }
  .dot { fill: #58a6ff; }
  .bar { fill: #6e7681; }
  .marked { fill: #ff7b72; }
}
"""


@dataclass(frozen=True)
class Axis:
    """A linear scale from ``low`` at the pixel ``left`` to ``high``, ``length`` pixels on.

    A negative length is a scale that goes up the page.
    """

    left: float
    length: float
    low: float
    high: float
    step: float

    def x(self, value: float) -> float:
        """Return where a value is; at the end of the scale if it is beyond."""
        return self.left + (min(max(value, self.low), self.high) - self.low) / (self.high - self.low) * self.length

    def ticks(self) -> Iterator[float]:
        """Yield the values at the ticks."""
        for place in range(round((self.high - self.low) / self.step) + 1):
            yield self.low + place * self.step


def axis(left: float, length: float, low: float, high: float) -> Axis:
    """Return an axis with about five ticks at round numbers, which reaches at least from ``low`` to ``high``."""
    rough = (high - low) / _TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    return Axis(left, length, math.floor(low / step) * step, math.ceil(high / step) * step, step)


def text(x: float, y: float, content: str, classes: str = "", anchor: str = "start") -> str:
    """Return a text of an SVG file."""
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{classes}" text-anchor="{anchor}">{escape(content)}</text>'
