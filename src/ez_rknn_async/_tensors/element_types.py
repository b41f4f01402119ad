# SPDX-License-Identifier: Apache-2.0
"""Element types as ONNX numbers and names them."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._messages.wording import shown
from ..errors import RknnTypeError, RknnValueError

# onnx.TensorProto.DataType, by the name that the runtime and numpy use.
_NUMBERS = {
    "float32": 1,
    "uint8": 2,
    "int8": 3,
    "uint16": 4,
    "int16": 5,
    "int32": 6,
    "int64": 7,
    "bool": 9,
    "float16": 10,
    "float64": 11,
    "uint32": 12,
    "uint64": 13,
    "bfloat16": 16,
    "int4": 22,
}
_NAMES = {number: name for name, number in _NUMBERS.items()}
_ONNX_NAMES = {"float32": "float", "float64": "double"}

# The types of tensors that hold plain integers: float32 could not hold each of them exactly.
PLAIN_INTEGERS = ("int32", "uint32", "int64", "bool")


class ElementType(int):
    """An element type: ONNX's number for it, as ONNX Runtime returns it, which also equals its name.

    >>> ElementType.of("float32") == 1
    True
    >>> ElementType.of("float32") == "tensor(float)"
    True

    Programs written for the library that this one replaces compare with the name.
    """

    @classmethod
    def of(cls, name: str) -> ElementType:
        """Return the type with this name, such as ``"float16"``."""
        return cls(_NUMBERS[name])

    @property
    def name(self) -> str:
        """Numpy's name, such as ``"float16"``."""
        return _NAMES[int(self)]

    def __str__(self) -> str:
        return f"tensor({_ONNX_NAMES.get(self.name, self.name)})"

    def __repr__(self) -> str:
        return f"<ElementType {int(self)}: {self}>"

    def __eq__(self, other: object) -> bool:
        return str(self) == other if isinstance(other, str) else int(self) == other

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return int.__hash__(self)


_BY_ONNX_NAME = {str(ElementType(number)): name for name, number in _NUMBERS.items()}


def parse_dtype(element_type: Any) -> np.dtype[Any]:
    """Return the numpy type that an argument names.

    Args:
        element_type: anything that ``numpy.dtype`` takes, ONNX's number, or ONNX's name (``"tensor(float)"``).

    Raises:
        RknnTypeError: it names no type.
        RknnValueError: numpy has no such type, or it holds no real numbers.
    """
    if isinstance(element_type, int) and not isinstance(element_type, bool):
        element_type = _NAMES.get(int(element_type), f"ONNX type {element_type}")
    elif isinstance(element_type, str):
        element_type = _BY_ONNX_NAME.get(element_type, element_type)
    try:
        # By name, bfloat16 is a type only if another package has registered it with numpy.
        dtype: np.dtype[Any] = np.dtype(np.void if element_type == "bfloat16" else element_type).newbyteorder("=")
    except TypeError:
        raise RknnTypeError(
            f"element_type={shown(element_type)} is no element type; pass a numpy type such as numpy.float32"
        ) from None
    if element_type == "bfloat16" or dtype.name == "bfloat16":
        raise RknnValueError("element_type=bfloat16 is no type of numpy; use float32, which holds its numbers exactly")
    if dtype.name not in _NUMBERS:
        raise RknnValueError(f"element_type={dtype.name} holds no real numbers; pass a float, integer or bool type")
    return dtype
