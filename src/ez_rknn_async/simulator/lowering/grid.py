"""The numbers that a tensor can hold, and rounding to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import TensorProto

from ...model.format.graph import DType

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ...model.format.graph import Tensor
    from ...model.operators.stages import Rounding
    from .builder import GraphBuilder

FLOATS = (DType.FLOAT16, DType.FLOAT32, DType.FLOAT64, DType.BFLOAT16)
QUANTIZED: dict[DType, Any] = {
    DType.INT8: np.int8,
    DType.UINT8: np.uint8,
    DType.INT16: np.int16,
    DType.UINT16: np.uint16,
    DType.INT32: np.int32,
}
# The types that ONNX's own operators take in the opset that is used.
_QUANTIZE_LINEAR = (DType.INT8, DType.UINT8)
_SAME_SCALE = 1e-4  # relative; scales that differ by less are float32's rounding


@dataclass(frozen=True)
class Grid:
    """Real numbers that are ``(integer - zero_point) * scale``."""

    dtype: DType
    scale: float
    zero_point: int

    def quantize(self, to: GraphBuilder, value: str) -> str:
        """The integers nearest to real numbers, ties to even, saturated."""
        if self.dtype in _QUANTIZE_LINEAR:
            return to.add("QuantizeLinear", value, *self._parameters(to))
        steps = to.add("Add", self._steps(to, value), to.floats(self.zero_point))
        return to.add("Cast", steps, to=int(self.dtype))

    def dequantize(self, to: GraphBuilder, integers: str) -> str:
        """The real numbers that integers stand for."""
        if self.dtype in _QUANTIZE_LINEAR:
            return to.add("DequantizeLinear", integers, *self._parameters(to))
        steps = to.add("Sub", to.add("Cast", integers, to=TensorProto.FLOAT), to.floats(self.zero_point))
        return to.add("Mul", steps, to.floats(self.scale))

    def round(self, to: GraphBuilder, value: str) -> str:
        """The real numbers of the grid nearest to others."""
        if self.dtype in _QUANTIZE_LINEAR:
            return self.dequantize(to, self.quantize(to, value))
        return to.add("Mul", self._steps(to, value), to.floats(self.scale))

    def nearest(self, values: NDArray[Any]) -> NDArray[Any]:
        """Like :meth:`round`, of numbers that are known: float32."""
        bounds = np.iinfo(QUANTIZED[self.dtype])
        steps = np.round(values.astype(np.float32) / np.float32(self.scale))
        low, high = bounds.min - self.zero_point, bounds.max - self.zero_point
        nearest: NDArray[Any] = steps.clip(low, high) * np.float32(self.scale)
        return nearest

    def unsigned(self) -> Grid:
        """The same real numbers as bytes without a sign, which ONNX Runtime's integer kernels take."""
        if self.dtype is not DType.INT8:
            raise ValueError(f"a grid of {self.dtype.name} has no unsigned bytes")
        return Grid(DType.UINT8, self.scale, self.zero_point + 128)

    def _steps(self, to: GraphBuilder, value: str) -> str:
        bounds = np.iinfo(QUANTIZED[self.dtype])
        steps = to.add("Round", to.add("Div", value, to.floats(self.scale)))
        low, high = bounds.min - self.zero_point, bounds.max - self.zero_point
        return to.add("Clip", steps, to.floats(low), to.floats(high))

    def _parameters(self, to: GraphBuilder) -> tuple[str, str]:
        zero_point = to.initializer(np.array(self.zero_point, QUANTIZED[self.dtype]))
        return to.floats(self.scale), zero_point


def grid_of(tensor: Tensor) -> Grid | None:
    """The grid of a tensor that is quantised as a whole, else None."""
    if tensor.quantization is None or tensor.dtype not in QUANTIZED:
        return None
    if len(tensor.quantization.scale) != 1:
        return None
    zero_points = tensor.quantization.zero_point
    return Grid(tensor.dtype, tensor.quantization.scale[0], zero_points[0] if zero_points else 0)


def grid_of_rounding(rounding: Rounding) -> Grid:
    """The grid of a rounding to int8 that the file does not mention."""
    return Grid(DType.INT8, rounding.scale, rounding.zero_point)


def first_grid_of(tensor: Tensor) -> Grid | None:
    """The grid that the tensor had when it was calibrated, where the compiler has given it another one since.

    The parts of a concatenation are quantised as they are and then brought to a common scale, of which the file tells
    only the latter; the official simulator rounds twice.
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
    """The grid to which the official simulator rounds a constant that the file has as floating-point numbers.

    The NPU computes with the numbers as they are; the zero point tells how many bits the official simulator takes.
    """
    quantization = tensor.quantization
    if quantization is None or tensor.dtype not in FLOATS or len(quantization.scale) != 1:
        return None
    scale, zero_point = quantization.scale[0], quantization.zero_point[0]
    if scale in (0.0, 1.0):  # there is none: the compiler's way of saying so, in floating-point models too
        return None
    return Grid(DType.INT8 if -128 <= zero_point <= 127 else DType.INT16, scale, zero_point)


def is_real(tensor: Tensor) -> bool:
    """Whether the tensor stands for real numbers, and not for integers or truth values."""
    return tensor.dtype in FLOATS or (tensor.quantization is not None and tensor.dtype in QUANTIZED)
