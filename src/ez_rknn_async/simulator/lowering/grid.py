# SPDX-License-Identifier: Apache-2.0
"""Grids: the numbers that quantised tensors can hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...model.format.graph import DType

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ...model.format.graph import Tensor
    from ...model.operators.stages import Rounding

FLOATS = (DType.FLOAT16, DType.FLOAT32, DType.FLOAT64, DType.BFLOAT16)
QUANTIZED: dict[DType, Any] = {
    DType.INT8: np.int8,
    DType.UINT8: np.uint8,
    DType.INT16: np.int16,
    DType.UINT16: np.uint16,
    DType.INT32: np.int32,
}
_SAME_SCALE = 1e-4  # relative; scales that differ by less are float32's rounding


@dataclass(frozen=True)
class Grid:
    """The real numbers ``(integer - zero_point) * scale``."""

    dtype: DType
    scale: float
    zero_point: int

    @property
    def element_type(self) -> Any:
        """The integers' type in numpy."""
        return QUANTIZED[self.dtype]

    @property
    def bounds(self) -> tuple[int, int]:
        """The ends of the grid, in steps from the number 0."""
        limits = np.iinfo(self.element_type)
        return limits.min - self.zero_point, limits.max - self.zero_point

    def nearest(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the real numbers of the grid nearest to these, ties to even, as float32."""
        steps = np.round(values.astype(np.float32) / np.float32(self.scale))
        nearest: NDArray[Any] = steps.clip(*self.bounds) * np.float32(self.scale)
        return nearest

    def unsigned(self) -> Grid:
        """Return the same grid with unsigned bytes, which ONNX Runtime's integer kernels take."""
        if self.dtype is not DType.INT8:
            raise ValueError(f"a grid of {self.dtype.name} has no unsigned bytes")
        return Grid(DType.UINT8, self.scale, self.zero_point + 128)


def grid_of(tensor: Tensor) -> Grid | None:
    """Return the grid of a tensor that is quantised as a whole, else None."""
    if tensor.quantization is None or tensor.dtype not in QUANTIZED:
        return None
    if len(tensor.quantization.scale) != 1:
        return None
    zero_points = tensor.quantization.zero_point
    return Grid(tensor.dtype, tensor.quantization.scale[0], zero_points[0] if zero_points else 0)


def grid_of_rounding(rounding: Rounding) -> Grid:
    """Return the grid of a rounding to int8 that the file does not mention."""
    return Grid(DType.INT8, rounding.scale, rounding.zero_point)


def first_grid_of(tensor: Tensor) -> Grid | None:
    """Return the grid that the tensor had when it was calibrated, if the compiler has changed it since.

    The parts of a concatenation are quantised separately and then brought to a common scale, and the file has only the
    latter; the official simulator rounds twice.
    """
    quantization = tensor.quantization
    if quantization is None or tensor.dtype is not DType.INT8 or quantization.span is None:
        return None
    low, high = quantization.span
    scale = (high - low) / 255
    if not scale > 0 or len(quantization.scale) != 1 or abs(quantization.scale[0] / scale - 1) < _SAME_SCALE:
        return None
    return Grid(tensor.dtype, scale, round(-128 - low / scale))


def constant_grid(tensor: Tensor) -> Grid | None:
    """Return the grid to which the official simulator rounds a constant stored as floating-point numbers.

    The NPU computes with the stored numbers; the zero point shows how many bits the official simulator takes.
    """
    quantization = tensor.quantization
    if quantization is None or tensor.dtype not in FLOATS or len(quantization.scale) != 1:
        return None
    scale, zero_point = quantization.scale[0], quantization.zero_point[0]
    if scale in (0.0, 1.0):  # the compiler's mark for no scale, in floating-point models too
        return None
    return Grid(DType.INT8 if -128 <= zero_point <= 127 else DType.INT16, scale, zero_point)


def is_real(tensor: Tensor) -> bool:
    """Check if the tensor stands for real numbers, not for integers or truth values."""
    return tensor.dtype in FLOATS or (tensor.quantization is not None and tensor.dtype in QUANTIZED)
