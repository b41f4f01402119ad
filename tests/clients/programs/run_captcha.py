# SPDX-License-Identifier: Apache-2.0
"""Read the five digits of a picture (vietcombank-captcha)."""

import json

from PIL import Image, ImageDraw, ImageFont
from vietcombank_captcha import VietcombankCaptcha

image = Image.new("RGB", (155, 50), "white")
ImageDraw.Draw(image).text((12, 4), "4 1 7 0 3", (40, 40, 90), ImageFont.load_default(size=34))
image.save("captcha.png")
code, confidences = VietcombankCaptcha().predict_with_confidence("captcha.png")
print(json.dumps([code, [float(confidence) for confidence in confidences]]))
