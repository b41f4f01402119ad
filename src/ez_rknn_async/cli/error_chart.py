# SPDX-License-Identifier: Apache-2.0
"""A chart of errors by layer, as SVG.

One row a layer, from top to bottom in the order of execution: a line of dots for the signal-to-noise ratio after the
layer, and a bar for the noise that the layer itself adds. Colours follow the viewer's light or dark setting.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from .svg import STYLE, Axis, axis, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# Everything in pixels.
ROW = 18
MARGIN = 20
LABELS = 250  # width of the column of names
PANEL = 270  # width of each panel
GAP = 34
HEAD = 98  # above the first row
FOOT = 30
LONGEST_LABEL = 34  # characters

_SNR_LEFT = MARGIN + LABELS
_NOISE_LEFT = _SNR_LEFT + PANEL + GAP
_WIDTH = _NOISE_LEFT + PANEL + 60 + MARGIN  # 60: for the number behind the longest bar


@dataclass(frozen=True)
class Bar:
    """One layer."""

    label: str
    detail: str  # shown when pointed at
    snr_db: float  # infinite: no error
    noise_added: float  # percent of the signal
    marked: bool


def error_chart(title: str, subtitle: str, bars: Sequence[Bar]) -> str:
    """Return the chart as the text of an SVG file."""
    finite = [bar.snr_db for bar in bars if math.isfinite(bar.snr_db)]
    snr = axis(_SNR_LEFT, PANEL, min([0.0, *finite]), max([*finite, 10.0]))
    noise = axis(
        _NOISE_LEFT, PANEL, 0.0, max([bar.noise_added for bar in bars if math.isfinite(bar.noise_added)] + [0.1])
    )
    height = HEAD + ROW * len(bars) + FOOT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
        f'viewBox="0 0 {_WIDTH} {height}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="paper" width="{_WIDTH}" height="{height}"/>',
        text(MARGIN, 30, title, "title"),
        text(MARGIN, 48, subtitle, "minor"),
        *_stripes(len(bars)),
        *_panel(snr, "signal-to-noise ratio after the layer (dB)", len(bars)),
        *_panel(noise, "noise added by the layer (% of the signal)", len(bars)),
        *_rows(bars, snr, noise),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _stripes(rows: int) -> Iterator[str]:
    """Draw a stripe behind every other row, to lead the eye from the name to the bar."""
    for row in range(0, rows, 2):
        yield (
            f'<rect class="stripe" x="{MARGIN}" y="{HEAD + row * ROW}" width="{_WIDTH - 2 * MARGIN}" height="{ROW}"/>'
        )


def _panel(scale: Axis, heading: str, rows: int) -> Iterator[str]:
    yield text(scale.left, HEAD - 24, heading, "strong")
    bottom = HEAD + rows * ROW
    for tick in scale.ticks():
        x = scale.x(tick)
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{HEAD}" y2="{bottom}"/>'
        for y in (HEAD - 6, bottom + 16):
            yield text(x, y, f"{tick:.6g}", "minor", "middle")


def _rows(bars: Sequence[Bar], snr: Axis, noise: Axis) -> Iterator[str]:
    points = [(snr.x(bar.snr_db), HEAD + row * ROW + ROW / 2) for row, bar in enumerate(bars)]
    yield f'<polyline class="line" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}"/>'
    for row, (bar, (x, y)) in enumerate(zip(bars, points)):
        exact = math.isinf(bar.snr_db) and bar.snr_db > 0
        value = "no error" if exact else f"{bar.snr_db:.1f} dB"
        mark = " marked" if bar.marked else ""
        yield "<g>"
        yield f"<title>{escape(bar.label)} ({escape(bar.detail)}): {value}, adds {bar.noise_added:.3g} %</title>"
        yield text(_SNR_LEFT - 12, y + 4, _shortened(bar.label), f"strong{mark}" if mark else "", "end")
        yield f'<circle class="dot{mark}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>'
        width = noise.x(bar.noise_added) - noise.left
        yield (
            f'<rect class="bar{mark}" x="{noise.left}" y="{HEAD + row * ROW + 4}" '
            f'width="{width:.1f}" height="{ROW - 8}"/>'
        )
        if bar.noise_added:
            yield text(noise.left + width + 6, y + 4, f"{bar.noise_added:.2g}", f"minor{mark}")
        yield "</g>"


def _shortened(label: str) -> str:
    """Keep the end of a long name, which tells layers apart; its beginning is the same for many."""
    if len(label) <= LONGEST_LABEL:
        return label
    return "\N{HORIZONTAL ELLIPSIS}" + label[-(LONGEST_LABEL - 1) :]
