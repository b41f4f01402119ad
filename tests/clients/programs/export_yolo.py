# SPDX-License-Identifier: Apache-2.0
"""Let ultralytics build a YOLOv8n that classifies, with random weights, and export it: ``export_yolo.py FOLDER``.

Not one that detects: rknn-toolkit2 2.5.0 fails on the head that ultralytics 8.4 exports, in one of its own rules.
"""

import os
import sys

import torch
from ultralytics import YOLO

torch.manual_seed(0)
os.chdir(sys.argv[1])
model = YOLO("yolov8n-cls.yaml")
# Batch normalisations that were never trained let everything vanish; with these, outputs depend on inputs.
for module in model.model.modules():
    if isinstance(module, torch.nn.BatchNorm2d):
        torch.nn.init.uniform_(module.weight, 0.9, 1.6)
        torch.nn.init.uniform_(module.bias, -0.3, 0.3)
model.export(format="onnx", imgsz=224, simplify=False, opset=19)
