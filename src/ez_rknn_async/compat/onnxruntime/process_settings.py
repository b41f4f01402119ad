# SPDX-License-Identifier: Apache-2.0
"""What ``onnxruntime`` has for the whole process, for where it is not installed."""

from __future__ import annotations

import logging
from typing import Any

logger = logging.getLogger("ez_rknn_async.compat")

# The version of ONNX Runtime whose interface is followed where it is not installed.
FOLLOWED = "1.20.0"


def get_version_string() -> str:
    """The version of ONNX Runtime whose interface is followed."""
    return FOLLOWED


def get_build_info() -> str:
    """What this is."""
    return f"ez_rknn_async, in the place of ONNX Runtime {FOLLOWED}"


def set_seed(seed: int) -> None:
    """Accepted: nothing on an NPU is random."""
    logger.debug("set_seed(%r) means nothing on an NPU", seed)


def set_default_logger_verbosity(verbosity: int) -> None:
    """Accepted: the package's logger has severities only."""
    logger.debug("set_default_logger_verbosity(%r) means nothing here", verbosity)


def disable_telemetry_events() -> None:
    """Accepted: this package has no telemetry."""


def enable_telemetry_events() -> None:
    """Accepted: this package has no telemetry."""


def get_ep_devices() -> list[Any]:
    """Return an empty list: no plug-in providers."""
    return []


def has_collective_ops() -> bool:
    """Return False."""
    return False


class OrtDevice:
    """A kind of memory, by ONNX Runtime's numbers for devices."""

    def __init__(self, device_type: int, memory_type: int, device_id: int, *_: int) -> None:
        self._numbers = device_type, memory_type, device_id

    @staticmethod
    def cpu() -> int:
        """The number of the CPU."""
        return 0

    @staticmethod
    def cuda() -> int:
        """The number of GPUs."""
        return 1

    @staticmethod
    def npu() -> int:
        """The number of NPUs."""
        return 2

    @staticmethod
    def default_memory() -> int:
        """The number of a device's ordinary memory."""
        return 0

    @staticmethod
    def make(ort_device_name: str, device_id: int) -> OrtDevice:
        """The device of that name."""
        return OrtDevice({"cpu": 0, "cuda": 1, "npu": 2}.get(ort_device_name.lower(), 0), 0, device_id)

    def device_type(self) -> int:
        """The kind of device."""
        return self._numbers[0]

    def mem_type(self) -> int:
        """The kind of memory."""
        return self._numbers[1]

    def device_id(self) -> int:
        """Which of its kind."""
        return self._numbers[2]
