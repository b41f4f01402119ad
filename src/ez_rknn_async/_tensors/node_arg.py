# SPDX-License-Identifier: Apache-2.0
"""The description of a session's inputs and outputs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .element_types import PLAIN_INTEGERS

if TYPE_CHECKING:
    from .._runtime.tensor_attribute import TensorAttribute

# ONNX's names for element types, by the runtime's.
_ONNX_TYPES = {
    "float32": "tensor(float)",
    "float16": "tensor(float16)",
    "bfloat16": "tensor(bfloat16)",
    **{name: f"tensor({name})" for name in ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "bool")},
}


@dataclass(frozen=True)
class Quantization:
    """The real numbers that integers stand for: ``real = (quantised - zero_point) * scale``."""

    scale: float
    zero_point: int


@dataclass(frozen=True, repr=False)
class NodeArg:
    """One input or output of a model.

    Attributes:
        name: the tensor's name in the model.
        shape: the shape that the user passes or receives. Of a model with dynamic shapes, the largest legal one:
            numbers throughout, so that what is written for one shape works as it stands.
        dtype: the element type inside the NPU, by numpy's name (``"int8"``, ``"float16"``, ``"int64"`` ...).
        layout: the order of the dimensions of ``shape``: ``"NCHW"``, ``"NHWC"``, or ``"UNDEFINED"`` (not an image).
        quantization: scale and zero point, for a quantised tensor; otherwise None.
        shapes: every legal shape, largest first; one for most models. Where several inputs change their shapes
            together, :meth:`InferenceSession.get_input_shapes` says which ones belong together.
        strides: empty, as arrays go in and out dense; but from ``get_native_inputs()`` and ``get_native_outputs()``,
            the bytes from one element in the memory of a value to the next, along each dimension.
        is_native: whether what ``type`` tells of has the type inside the NPU: memory, and outputs of sessions with
            ``output_dtype="native"``.
    """

    name: str
    shape: list[int]
    dtype: str
    layout: str
    quantization: Quantization | None = None
    shapes: list[list[int]] = field(default_factory=list)
    strides: list[int] = field(default_factory=list)
    is_native: bool = False

    @property
    def type(self) -> str:
        """The element type to pass to ``run()``, or that it returns, as ONNX writes it.

        ``"tensor(float)"``, also of a tensor that is float16 or quantised inside the NPU; the tensor's own type if that
        is an integer without quantisation. Any other real type may be passed, too, but an int8 array for an int8 input
        is taken as already quantised.
        """
        return self.native_type if self.is_native or self.dtype in PLAIN_INTEGERS else _ONNX_TYPES["float32"]

    @property
    def native_type(self) -> str:
        """The element type inside the NPU as ONNX writes it, such as ``"tensor(int8)"``."""
        return _ONNX_TYPES.get(self.dtype, "tensor(unknown)")

    def __repr__(self) -> str:
        parts = [f"name={self.name!r}", f"type={self.type!r}", f"shape={self.shape}"]
        if self.type != self.native_type:
            parts.append(f"dtype={self.dtype!r}")
        if self.layout != "UNDEFINED":
            parts.append(f"layout={self.layout!r}")
        if self.quantization is not None:
            parts.append(f"scale={self.quantization.scale:g}, zero_point={self.quantization.zero_point}")
        if len(self.shapes) > 1:
            parts.append(f"shapes={self.shapes}")
        return f"NodeArg({', '.join(parts)})"


def quantization(attribute: TensorAttribute) -> Quantization | None:
    """Return the quantisation of a tensor; None if its type is not a quantised one."""
    quantised = attribute.type in ("int4", "int8", "uint8", "int16", "uint16")
    return Quantization(attribute.scale, attribute.zero_point) if quantised else None
