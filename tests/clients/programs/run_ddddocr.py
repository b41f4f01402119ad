# SPDX-License-Identifier: Apache-2.0
"""Find words in a picture, and read one (ddddocr)."""

import io
import json

import ddddocr
from PIL import Image, ImageDraw, ImageFont


def picture(*words: str, size: tuple[int, int]) -> bytes:
    image = Image.new("RGB", size, "white")
    for number, word in enumerate(words):
        ImageDraw.Draw(image).text((20, 10 + 120 * number), word, "black", ImageFont.load_default(size=48))
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


boxes = ddddocr.DdddOcr(det=True, ocr=False, show_ad=False).detection(picture("Hello", "NPU 42", size=(416, 416)))
print(json.dumps([ddddocr.DdddOcr(show_ad=False).classification(picture("k7bx", size=(160, 64))), len(boxes)]))
