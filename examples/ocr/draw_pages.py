# SPDX-License-Identifier: Apache-2.0
"""Draw the pages that are read: ``python draw_pages.py FOLDER``."""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

SIZE = (736, 736)
PAGES = (
    ("INVOICE 2024-0117", "Orange Pi 5 Plus", "three NPU cores", "Total: 149.90 EUR"),
    ("Platform 12", "Departure 08:45", "Hamburg - Kiel", "runs on weekdays only"),
    ("CAUTION", "Wet floor", "Please use the other", "staircase to the left"),
)
UPSIDE_DOWN = "staircase to the left"


def page(lines: tuple[str, ...]) -> Image.Image:
    """Return one page; one of its lines may stand on its head, for the network that finds those."""
    image = Image.new("RGB", SIZE, "white")
    font = ImageFont.load_default(size=40)
    for number, text in enumerate(lines):
        strip = Image.new("RGB", (int(font.getlength(text)) + 20, 60), "white")
        ImageDraw.Draw(strip).text((10, 4), text, "black", font)
        image.paste(strip.rotate(180) if text == UPSIDE_DOWN else strip, (40, 40 + 170 * number))
    return image


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for number, lines in enumerate(PAGES):
        page(lines).save(folder / f"page{number}.png")
