# SPDX-License-Identifier: Apache-2.0
"""Let ultralytics build a YOLOv8n with random weights, and export it to ONNX: ``export_yolo.py FOLDER``."""

import os
import sys

import torch
from ultralytics import YOLO

torch.manual_seed(0)
os.chdir(sys.argv[1])
model = YOLO("yolov8n.yaml")
# Batch normalisations that were never trained let everything vanish; with these, outputs depend on inputs.
for module in model.model.modules():
    if isinstance(module, torch.nn.BatchNorm2d):
        torch.nn.init.uniform_(module.weight, 0.9, 1.6)
        torch.nn.init.uniform_(module.bias, -0.3, 0.3)
model.export(format="onnx", imgsz=320, simplify=False, opset=12)
