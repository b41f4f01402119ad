# SPDX-License-Identifier: Apache-2.0
"""Run an exported network through ultralytics' own backend for its format: ``run_yolo.py MODEL OUTPUT.npz``.

For ``.rknn`` one thing of it is patched: its question whether this is a Rockchip board.
"""

import sys
from pathlib import Path

import numpy as np
import torch
import ultralytics.utils.checks

if Path(sys.argv[1]).suffix != ".onnx":
    ultralytics.utils.checks.is_rockchip = lambda: True

from ultralytics.nn.autobackend import AutoBackend

image = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (1, 3, 224, 224)).astype(np.float32) / 255)
backend = AutoBackend(sys.argv[1], device=torch.device("cpu"))
outputs = backend(image)
outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
np.savez(sys.argv[2], *[np.asarray(output) for output in outputs])
