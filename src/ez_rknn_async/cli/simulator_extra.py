# SPDX-License-Identifier: Apache-2.0
"""A clear message where a command lacks the optional packages of the simulated NPU."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from ..errors import RknnError

if TYPE_CHECKING:
    from collections.abc import Iterator

_PACKAGES = ("onnx", "onnxruntime")  # a board has neither: it needs only numpy and cffi


@contextlib.contextmanager
def simulator_extra(command: str) -> Iterator[None]:
    """Explain a failed import of a command that works with ONNX models."""
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in _PACKAGES:
            raise
        raise RknnError(
            f"ezrknn {command} needs the package {package}, which is not installed",
            hint="install it with: pip install 'ez-rknn-async[simulator]'",
        ) from error
