# SPDX-License-Identifier: Apache-2.0
"""The networks of the published table, from public definitions with random weights, as ONNX files.

The time of a layer does not depend on its weights. Every network ends where it ends in the vendor's model collection:
YOLO without decoding boxes, per scale the convolutions of the head, the sigmoid, and for the anchor-free ones the sum
over the classes, clamped. The collection names the networks, not their exact files; ``docs/explanation/timing.md`` says
which are only similar.

Needs torch 2.4.0, torchvision 0.19.0, ultralytics 8.3.253, yolov5 7.0.14 and yolov6detect 0.4.1
(``pip install --no-deps`` for the last three, then what they import). Nothing is downloaded: no weights, no data::

    python tools/timing/architectures.py FOLDER [NAME ...]
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Callable

OPSET = 12


class Outputs(nn.Module):
    """A network whose outputs are the flat list of tensors that its replaced head returns."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return all outputs, in the order of the head."""
        return tuple(self.network(image))


class PreActivation(nn.Module):
    """ResNet v2's bottleneck: normalise and rectify before each convolution, stride in the middle one."""

    def __init__(self, channels_in: int, channels: int, stride: int, project: bool) -> None:
        super().__init__()
        middle = channels // 4
        self.norms = nn.ModuleList([nn.BatchNorm2d(size) for size in (channels_in, middle, middle)])
        self.convolutions = nn.ModuleList(
            [
                nn.Conv2d(channels_in, middle, 1, bias=False),
                nn.Conv2d(middle, middle, 3, stride, 1, bias=False),
                nn.Conv2d(middle, channels, 1, bias=False),
            ]
        )
        self.project = nn.Conv2d(channels_in, channels, 1, stride, bias=False) if project else None

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Compute one block; the shortcut is the normalised input if it has a convolution, else the input."""
        shortcut = image
        for index, (norm, convolution) in enumerate(zip(self.norms, self.convolutions)):
            image = norm(image).relu()
            if index == 0 and self.project is not None:
                shortcut = self.project(image)
            image = convolution(image)
        return image + shortcut


def resnet50_v2() -> nn.Module:
    """Build the 50-layer network of He et al. 2016, "Identity mappings in deep residual networks"."""
    layers: list[nn.Module] = [
        nn.BatchNorm2d(3),
        nn.Conv2d(3, 64, 7, 2, 3, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, 1),
    ]
    channels = 64
    for stage, blocks in enumerate((3, 4, 6, 3)):
        wide = 256 << stage
        for block in range(blocks):
            layers.append(PreActivation(channels, wide, 2 if stage > 0 and block == 0 else 1, block == 0))
            channels = wide
    layers += [nn.BatchNorm2d(channels), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 1000)]
    return nn.Sequential(*layers)


def torchvision_network(name: str) -> nn.Module:
    """Build a whole classifier."""
    import torchvision

    network: nn.Module = getattr(torchvision.models, name)(weights=None)
    return network


def ultralytics_network(configuration: str) -> nn.Module:
    """Build an anchor-free YOLO, with a head that stops before boxes are decoded."""
    from ultralytics.nn.tasks import DetectionModel, SegmentationModel

    kind = SegmentationModel if "-seg" in configuration else DetectionModel
    model: nn.Module = kind(f"{configuration}.yaml", ch=3, nc=80, verbose=False).fuse(verbose=False)
    head: Any = model.model[-1]
    boxes = getattr(head, "one2one_cv2", None) or head.cv2
    classes = getattr(head, "one2one_cv3", None) or head.cv3

    def forward(features: list[torch.Tensor]) -> list[torch.Tensor]:
        results = []
        for scale, feature in enumerate(features):
            scores = classes[scale](feature).sigmoid()
            results += [boxes[scale](feature), scores, scores.sum(1, keepdim=True).clamp(0, 1)]
            if hasattr(head, "cv4"):
                results.append(head.cv4[scale](feature))
        return [*results, head.proto(features[0])] if hasattr(head, "proto") else results

    head.forward = forward
    return Outputs(model)


def _anchor_based(model: Any) -> nn.Module:
    """Reduce YOLOv5's head to one convolution for each scale and the sigmoid."""
    head = model.model[-1]
    head.forward = lambda features: [head.m[scale](feature).sigmoid() for scale, feature in enumerate(features)]
    return Outputs(model)


def yolov5(configuration: str, activation: nn.Module | None = None) -> nn.Module:
    """Build YOLOv5 6.0 or later, with ``activation`` in place of SiLU."""
    import yolov5 as package
    from yolov5.models.common import Conv
    from yolov5.models.yolo import DetectionModel

    folder = Path(package.__file__).parent / "models"
    if activation is not None:
        Conv.default_act = activation
    try:
        model = DetectionModel(str(folder / f"{configuration}.yaml"), ch=3, nc=80)
    finally:
        Conv.default_act = nn.SiLU()
    return _anchor_based(model.fuse())


def yolov6n() -> nn.Module:
    """Build YOLOv6-N 2.0 with its branches merged; per scale: boxes, classes, and the sum of the classes."""
    import yolov6
    from yolov6.layers.common import RepVGGBlock
    from yolov6.models.yolo import build_model
    from yolov6.utils.config import Config

    path = Path(yolov6.__file__).parent / "configs" / "yolov6n.py"
    configuration = Config.fromfile(str(path))
    configuration.training_mode = "repvgg"
    model = build_model(configuration, 80, torch.device("cpu"))
    for module in model.modules():
        if isinstance(module, RepVGGBlock):
            module.switch_to_deploy()
    head = model.detect

    def forward(features: list[torch.Tensor]) -> list[torch.Tensor]:
        results = []
        for scale, feature in enumerate(features):
            stem = head.stems[scale](feature)
            scores = head.cls_preds[scale](head.cls_convs[scale](stem)).sigmoid()
            box = head.reg_preds[scale](head.reg_convs[scale](stem))
            results += [box, scores, scores.sum(1, keepdim=True).clamp(0, 1)]
        return results

    head.forward = forward
    return Outputs(nn.Sequential(model.backbone, model.neck, head))


NETWORKS: dict[str, tuple[Callable[[], nn.Module], int]] = {
    "mobilenet_v2": (lambda: torchvision_network("mobilenet_v2"), 224),
    "resnet50_v2": (resnet50_v2, 224),
    "yolov5s_relu": (lambda: yolov5("yolov5s", nn.ReLU()), 640),
    "yolov5n": (lambda: yolov5("yolov5n"), 640),
    "yolov5s": (lambda: yolov5("yolov5s"), 640),
    "yolov5m": (lambda: yolov5("yolov5m"), 640),
    "yolov6n": (yolov6n, 640),
    "yolov8n": (lambda: ultralytics_network("yolov8n"), 640),
    "yolov8s": (lambda: ultralytics_network("yolov8s"), 640),
    "yolov8m": (lambda: ultralytics_network("yolov8m"), 640),
    "yolov8n-seg": (lambda: ultralytics_network("yolov8n-seg"), 640),
    "yolov10n": (lambda: ultralytics_network("yolov10n"), 640),
    "yolo11n": (lambda: ultralytics_network("yolo11n"), 640),
    "yolo11s": (lambda: ultralytics_network("yolo11s"), 640),
    "yolo11m": (lambda: ultralytics_network("yolo11m"), 640),
}


def export(name: str, path: Path) -> None:
    """Write the network as ONNX with one input ``images`` of shape ``[1, 3, size, size]``, float32."""
    torch.manual_seed(0)
    build, size = NETWORKS[name]
    network = build().eval()
    for parameter in network.parameters():
        if not parameter.any():  # initialised with zeros: the compiler would see a constant
            nn.init.normal_(parameter, std=0.01)
    image = torch.zeros(1, 3, size, size)
    with torch.no_grad():
        network(image)
        torch.onnx.export(network, (image,), str(path), opset_version=OPSET, input_names=["images"])


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for wanted in sys.argv[2:] or NETWORKS:
        export(wanted, folder / f"{wanted}.onnx")
        print(wanted, flush=True)
