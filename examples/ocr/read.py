# SPDX-License-Identifier: Apache-2.0
"""Read the text of images: an ordinary program for RapidOCR, which knows nothing of NPUs.

``python read.py IMAGE ...``; ``README.md`` says how to run it on one.
"""

from __future__ import annotations

import sys

from rapidocr_onnxruntime import RapidOCR

# Lines of text are padded to this width, not to one of their own: a compiled network has fixed shapes.
engine = RapidOCR(rec_img_shape=[3, 48, 640])
for path in sys.argv[1:]:
    lines, _ = engine(path)
    for _box, text, score in lines or []:
        print(f"{float(score):.2f}  {text}")
