# SPDX-License-Identifier: Apache-2.0
"""A bar chart of shares as SVG, in the style of the charts that ``ezrknn compare`` draws."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from ez_rknn_async.cli.svg import STYLE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# In pixels.
ROW, MARGIN, LABELS, PANEL, HEAD, FOOT = 24, 20, 230, 420, 84, 40
# The marks of a label, and what they mean in the legend.
OTHER = "(other library)"
KINDS = {"ours": "EZ RKNN Async", "other": "the library that it replaces"}
_COLOURS = """
.ours { fill: #0969da; }
.other { fill: #8c959f; }
.floor { stroke: #24292f; stroke-width: 1; stroke-dasharray: 4 3; }
@media (prefers-color-scheme: dark) {
  .ours { fill: #58a6ff; }
  .other { fill: #6e7681; }
  .floor { stroke: #e6edf3; }
}
"""


def bars(title: str, unit: str, shares: Mapping[str, float]) -> str:
    """Draw one bar for each share; the dashed line at 1 is the floor."""
    longest = max([1.0, *shares.values()])
    left, bottom = MARGIN + LABELS, HEAD + ROW * len(shares)
    width, height = left + PANEL + 60 + MARGIN, bottom + FOOT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">',
        f"<style>{STYLE}{_COLOURS}</style>",
        f'<rect class="paper" width="{width}" height="{height}"/>',
        f'<text class="title" x="{MARGIN}" y="{MARGIN + 12}">{escape(title)}</text>',
        *_legend(left),
    ]
    for number, (label, share) in enumerate(shares.items()):
        top, length = HEAD + ROW * number, PANEL * share / longest
        kind = "other" if OTHER in label else "ours"
        parts += [
            f'<text x="{left - 8}" y="{top + 16}" text-anchor="end">{escape(label.replace(OTHER, "").strip())}</text>',
            f'<rect class="{kind}" x="{left}" y="{top + 4}" width="{length:.1f}" height="{ROW - 8}"/>',
            f'<text x="{left + length + 6:.1f}" y="{top + 16}">{share:.2f}</text>',
        ]
    floor = left + PANEL / longest
    parts += [
        f'<line class="floor" x1="{floor:.1f}" x2="{floor:.1f}" y1="{HEAD - 4}" y2="{bottom + 4}"/>',
        f'<text class="minor" x="{floor:.1f}" y="{bottom + 16}" text-anchor="middle">1 = floor</text>',
        f'<text class="minor" x="{left}" y="{bottom + 32}">{escape(unit)}</text>',
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _legend(left: int) -> Iterator[str]:
    """Draw what each colour means."""
    for number, (kind, meaning) in enumerate(KINDS.items()):
        x, y = left + 150 * number, MARGIN + 28
        yield f'<rect class="{kind}" x="{x}" y="{y}" width="12" height="12"/>'
        yield f'<text class="minor" x="{x + 18}" y="{y + 10}">{escape(meaning)}</text>'
