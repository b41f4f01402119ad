# SPDX-License-Identifier: Apache-2.0
"""A bar chart of shares as SVG, in the style of the charts that ``ezrknn compare`` draws."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from ez_rknn_async.cli.svg import STYLE

if TYPE_CHECKING:
    from collections.abc import Mapping

# In pixels.
ROW, MARGIN, LABELS, PANEL, HEAD = 24, 20, 230, 420, 56


def bars(title: str, shares: Mapping[str, float]) -> str:
    """Draw one bar for each share; the line at 1 is the floor."""
    longest = max(1.0, *shares.values())
    left, height = MARGIN + LABELS, HEAD + ROW * len(shares) + MARGIN
    width = left + PANEL + 60 + MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">',
        f"<style>{STYLE}</style>",
        f'<rect class="paper" width="{width}" height="{height}"/>',
        f'<text class="title" x="{MARGIN}" y="{MARGIN + 12}">{escape(title)}</text>',
    ]
    for number, (label, share) in enumerate(shares.items()):
        top, length = HEAD + ROW * number, PANEL * share / longest
        kind = "bar" if "other library" in label else "bar marked"
        parts += [
            f'<text x="{left - 8}" y="{top + 16}" text-anchor="end">{escape(label)}</text>',
            f'<rect class="{kind}" x="{left}" y="{top + 4}" width="{length:.1f}" height="{ROW - 8}"/>',
            f'<text x="{left + length + 6:.1f}" y="{top + 16}">{share:.3f}</text>',
        ]
    floor = left + PANEL / longest
    parts += [
        f'<line class="grid" x1="{floor:.1f}" x2="{floor:.1f}" y1="{HEAD - 6}" y2="{height - MARGIN + 4}"/>',
        f'<text class="minor" x="{floor:.1f}" y="{HEAD - 10}" text-anchor="middle">floor</text>',
        "</svg>",
    ]
    return "\n".join(parts) + "\n"
