# SPDX-License-Identifier: Apache-2.0
"""Find people and their parts in photographs, one by one and as a batch (nudenet)."""

import json

from nudenet import NudeDetector
from skimage import data

photographs = [data.astronaut()[:, :, ::-1].copy(), data.cat()[:, :, ::-1].copy()]
detector = NudeDetector()
found = [*map(detector.detect, photographs), *detector.detect_batch(photographs * 2)]
print(json.dumps([[(each["class"], each["score"]) for each in one if each["score"] > 0.3] for one in found]))
