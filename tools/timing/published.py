# SPDX-License-Identifier: Apache-2.0
"""The vendor's published frame rates of the networks of ``architectures.py``: int8, one core, highest frequency.

From the table "Performance" in the README of its model collection (rknn_model_zoo), which counts the inference only. It
says neither which version of the compiler was used nor whether inputs and outputs were copied.
"""

from __future__ import annotations

from dataclasses import dataclass

FRAMES_PER_SECOND = {
    "mobilenet_v2": {"rk3566": 180.7, "rk3588": 450.7, "rk3576": 467.0},
    "resnet50_v2": {"rk3566": 37.9, "rk3588": 110.1, "rk3576": 99.0},
    "yolov5s_relu": {"rk3566": 25.5, "rk3588": 66.1, "rk3576": 65.0},
    "yolov5n": {"rk3566": 39.7, "rk3588": 82.5, "rk3576": 112.7},
    "yolov5s": {"rk3566": 19.3, "rk3588": 48.4, "rk3576": 57.5},
    "yolov5m": {"rk3566": 8.6, "rk3588": 20.9, "rk3576": 23.7},
    "yolov6n": {"rk3566": 48.8, "rk3588": 106.4, "rk3576": 109.1},
    "yolov8n": {"rk3566": 34.0, "rk3588": 73.5, "rk3576": 90.2},
    "yolov8s": {"rk3566": 15.1, "rk3588": 38.0, "rk3576": 40.8},
    "yolov8m": {"rk3566": 6.5, "rk3588": 16.2, "rk3576": 16.7},
    "yolov10n": {"rk3566": 20.7, "rk3588": 61.2, "rk3576": 80.2},
    "yolo11n": {"rk3566": 20.6, "rk3588": 60.0, "rk3576": 77.9},
    "yolo11s": {"rk3566": 10.2, "rk3588": 33.0, "rk3576": 38.2},
    "yolo11m": {"rk3566": 4.6, "rk3588": 12.7, "rk3576": 14.6},
    "yolov8n-seg": {"rk3566": 27.8, "rk3588": 60.8, "rk3576": 71.1},
}

# Every second row, beginning with the first: chosen before anything was fitted.
FITTED = tuple(FRAMES_PER_SECOND)[::2]
HELD_OUT = tuple(FRAMES_PER_SECOND)[1::2]


@dataclass(frozen=True)
class Ratio:
    """The effect of three cores on an inference's time on RK3588: one published time over another.

    ``cores`` and ``busy`` are, for each of the two, the cores that share the inference and that compete for memory.
    """

    what: str
    network: str
    value: float
    source: str
    cores: tuple[int, int]
    busy: tuple[int, int]


# All published figures of RK3588's three cores without the surrounding program: half is fitted, half is held out.
FITTED_RATIOS = {
    "contention": Ratio(
        "data parallel: one core alone over each of three loaded cores",
        "yolov5s_relu",
        177.1 / (3 * FRAMES_PER_SECOND["yolov5s_relu"]["rk3588"]),
        # zero copy, two threads on each core; 173.6 frames/s with one
        "hannahrepo/rk3588-npu, issue 2: 177.1 frames/s; one core: the vendor's table",
        cores=(1, 1),
        busy=(1, 3),
    ),
    # The network must be the vendor's demo, which has ReLU: with SiLU an idle core (48.4) is slower than this loaded.
    "join": Ratio(
        "tensor parallel: each of three loaded cores over three together",
        "yolov5s_relu",
        101.4 / 53.1,
        "jas-hacks, June 2023, rknn_benchmark, SDK 1.5.0: 53.1 and 101.4 frames/s",
        cores=(1, 3),
        busy=(3, 3),
    ),
}
# The author says YOLO, 640 x 640; of the project's models (YOLOv8), m is the one that takes 60 ms.
HELD_OUT_RATIOS = (
    Ratio(
        "data parallel: one core alone over each of three loaded cores",
        "yolov8m",
        45 / (3 * 1000 / 60),
        "blakeblackshear/frigate, pull request 8382: 60 ms; three at once: 45 frames/s",
        cores=(1, 1),
        busy=(1, 3),
    ),
    Ratio(
        "tensor parallel: one core alone over three together",
        "yolov8m",
        60 / 60,
        "the same: 60 ms either way",
        cores=(1, 3),
        busy=(1, 3),
    ),
)


def published_milliseconds(network: str, soc: str) -> float:
    """Return the published time of one inference."""
    return 1000 / FRAMES_PER_SECOND[network][soc]
