# SPDX-License-Identifier: Apache-2.0
"""The inputs and outputs of a model as the runtime describes them: ``rknn_tensor_attr``."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .abi import ffi

if TYPE_CHECKING:
    from collections.abc import Sequence

# The names of rknn_tensor_type and rknn_tensor_format, by value.
TYPES = (
    "float32",
    "float16",
    "int8",
    "uint8",
    "int16",
    "uint16",
    "int32",
    "uint32",
    "int64",
    "bool",
    "int4",
    "bfloat16",
)
FORMATS = ("NCHW", "NHWC", "NC1HWC2", "UNDEFINED")
# The types among them that numpy does not have.
FOREIGN = ("int4", "bfloat16")


@dataclass(frozen=True)
class TensorAttribute:
    """The runtime's description of one input or output (``rknn_tensor_attr``).

    ``shape`` is in the order that ``format`` names; ``size`` is in bytes. ``scale`` and ``zero_point`` are those of an
    affine quantisation; for a tensor that is not quantised they are 1 and 0. ``row`` is the length of a row in pixels,
    0 where the runtime names none, and ``size_with_stride`` the bytes with all such gaps. With ``pass_through`` memory
    that is bound by this attribute goes to the NPU as it is, without a conversion by the runtime.
    """

    name: str
    shape: tuple[int, ...]
    format: str
    type: str
    size: int
    scale: float
    zero_point: int
    row: int = 0
    size_with_stride: int = 0
    pass_through: bool = False

    @property
    def elements(self) -> int:
        """The number of elements of the tensor."""
        return math.prod(self.shape)


def describe(attributes: Sequence[TensorAttribute]) -> Any:
    """Return a C array ``rknn_tensor_attr[]``, as ``rknn_set_input_shapes`` and, one by one, ``rknn_set_io_mem`` take.

    It owns its memory.
    """
    array = ffi.new("rknn_tensor_attr[]", len(attributes))
    for index, attribute in enumerate(attributes):
        entry = array[index]
        entry.index, entry.name, entry.dims = index, attribute.name.encode(), attribute.shape
        entry.n_dims, entry.n_elems, entry.size = len(attribute.shape), attribute.elements, attribute.size
        entry.fmt, entry.type = FORMATS.index(attribute.format), TYPES.index(attribute.type)
        entry.qnt_type = ffi.typeof("rknn_tensor_qnt_type").relements["RKNN_TENSOR_QNT_AFFINE_ASYMMETRIC"]
        entry.scale, entry.zp = attribute.scale, attribute.zero_point
        entry.w_stride, entry.size_with_stride = attribute.row, attribute.size_with_stride
        entry.pass_through = attribute.pass_through
    return array


def from_c(attribute: Any) -> TensorAttribute:
    """Return the Python value of an ``rknn_tensor_attr``."""
    return TensorAttribute(
        name=text(attribute.name),
        shape=tuple(attribute.dims[i] for i in range(min(attribute.n_dims, len(attribute.dims)))),
        format=FORMATS[attribute.fmt],
        type=TYPES[attribute.type],
        size=attribute.size,
        scale=attribute.scale,
        zero_point=attribute.zp,
        row=attribute.w_stride,
        size_with_stride=attribute.size_with_stride,
        pass_through=bool(attribute.pass_through),
    )


def text(characters: Any) -> str:
    """Return the text in an array of characters."""
    decoded: str = ffi.string(characters).decode("utf-8", "replace")
    return decoded
