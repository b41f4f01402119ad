"""Frame rates that the vendor publishes for the networks of ``architectures.py``: int8, one core, highest frequency.

From the table "Performance" in the README of its model collection (rknn_model_zoo), which counts the inference only. It
tells neither the version of the compiler nor whether inputs and outputs were copied.
"""

from __future__ import annotations

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

# yolov5s_relu on RK3588, zero copy, one thread on each of three cores: hannahrepo/rk3588-npu, issue 2 (173.6 with one
# thread a core, 177.1 with two). Contention is fitted to it.
THREE_CORES_YOLOV5S_RELU = 177.1

# yolov5s on RK3588, rknn_benchmark, SDK 1.5.0 (jas-hacks, June 2023). The network must be the vendor's demo, which has
# ReLU: with SiLU an idle core (48.4) is slower than this loaded one. The time to join cores is fitted to their ratio.
TENSOR_PARALLEL = 101.4  # frames/s with three cores on each inference
LOADED_CORE = 53.1  # frames/s of each of three cores that work at once, each on inferences of its own


def published_milliseconds(network: str, soc: str) -> float:
    """For one inference."""
    return 1000 / FRAMES_PER_SECOND[network][soc]
