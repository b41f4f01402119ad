"""What a session says about its inputs and outputs."""

from __future__ import annotations

from dataclasses import dataclass, field

# ONNX's names for element types, by the runtime's.
_ONNX_TYPES = {
    "float32": "tensor(float)",
    "float16": "tensor(float16)",
    "bfloat16": "tensor(bfloat16)",
    **{name: f"tensor({name})" for name in ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "bool")},
}


@dataclass(frozen=True)
class Quantization:
    """How integers stand for real numbers: ``real = (quantised - zero_point) * scale``."""

    scale: float
    zero_point: int


@dataclass(frozen=True)
class NodeArg:
    """One input or output of a model.

    Attributes:
        name: the tensor's name in the model.
        shape: the shape that the user passes or receives.
        dtype: the element type inside the NPU, as numpy calls it (``"int8"``, ``"float16"``, ``"int64"`` ...). What may
            be passed is any real type; what is returned is float32, or the tensor's own type where that is an integer
            without quantisation.
        layout: the order of the dimensions of ``shape``: ``"NCHW"``, ``"NHWC"``, or ``"UNDEFINED"`` (not an image).
        quantization: scale and zero point, for an int8 tensor; otherwise None.
        strides: always empty: arrays go in and out dense.
    """

    name: str
    shape: list[int]
    dtype: str
    layout: str
    quantization: Quantization | None = None
    strides: list[int] = field(default_factory=list)

    @property
    def type(self) -> str:
        """The element type as ONNX writes it, such as ``"tensor(float16)"``."""
        return _ONNX_TYPES.get(self.dtype, "tensor(unknown)")
