# SPDX-License-Identifier: Apache-2.0
"""The layout of inputs and outputs in the NPU's own memory, and the conversions between it and arrays.

A :class:`NativeTensor` is what direct I/O binds once to a context: the attribute for ``rknn_set_io_mem``, the layout
that the bytes then have, and their number. The layout follows from the runtime's description of the tensor:

* an image of up to four channels: NHWC, with rows of ``w_stride`` pixels;
* a 4-D tensor of more channels, and every 4-D output that the NPU writes: NC1HWC2, channels in blocks;
* a 4-D input that an operator on the CPU reads: NCHW;
* anything else: as it is, in plain order.

All but one are bound with ``pass_through``: the bytes are ours, the runtime converts nothing. The exception is
:func:`raw_image`: uint8 pixels of an int8 model go in as they are, and the NPU itself normalises and quantises them.

A tensor that cannot be bound raises :class:`~.errors.RknnValueError` with its name and the reason; a session then
leaves it to ``rknn_inputs_set`` and ``rknn_outputs_get``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .._runtime.kernels import Conversion, MemoryLayout
from .._runtime.tensor_attribute import FOREIGN, TYPES
from ..errors import RknnValueError
from ..model import Layout as Stored
from . import preprocessing as formulas

if TYPE_CHECKING:
    from .._runtime.tensor_attribute import TensorAttribute
    from ..model import Preprocessing, Tensor
    from .preprocessing import Formula

# The most channels of an image: the NPU reads those without blocks.
IMAGE_CHANNELS = 4


class Dims(NamedTuple):
    """A tensor's extents; anything but an image has all its elements in ``w``."""

    n: int
    c: int
    h: int
    w: int


@dataclass(frozen=True)
class NativeTensor:
    """One tensor as direct I/O binds it.

    Attributes:
        attribute: the tensor as ``rknn_inputs_set`` and ``rknn_outputs_get`` know it.
        bound: what ``rknn_set_io_mem`` receives.
        dims: the extents, without any padding.
        layout: the layout of the elements in the memory.
        size: the least bytes that the memory must have.
    """

    attribute: TensorAttribute
    bound: TensorAttribute
    dims: Dims
    layout: MemoryLayout
    size: int

    @property
    def is_image(self) -> bool:
        """True if its arrays come in NCHW or in NHWC order; otherwise their order is the tensor's own."""
        return len(self.attribute.shape) == 4

    @property
    def strides(self) -> tuple[int, ...]:
        """The bytes from one element to the next along each dimension of ``bound.shape``, as in numpy."""
        item, shape = itemsize(self.layout.type), self.bound.shape
        if self.layout.format == "NHWC":
            pixel, row = self.dims.c * item, self.layout.row * self.dims.c * item
            return (self.dims.h * row, row, pixel, item)
        dense = [item * math.prod(shape[k + 1 :]) for k in range(len(shape))]
        if self.layout.format == "NC1HWC2":
            block = self.layout.surface * self.layout.c2 * item
            return (self.layout.c1 * block, block, *dense[2:])
        return tuple(dense)


def native_input(attribute: TensorAttribute, native: TensorAttribute, stored: Tensor | None = None) -> NativeTensor:
    """Describe an input, as our own conversions fill it.

    Args:
        attribute: of ``RKNN_QUERY_INPUT_ATTR``.
        native: of ``RKNN_QUERY_NATIVE_INPUT_ATTR``, or the current one of a dynamic model.
        stored: the tensor in the file. One that an operator on the CPU reads is not in the NPU's own layout.

    Raises:
        RknnValueError: its memory cannot be understood.
    """
    _check_type("input", attribute)
    if not _is_nhwc(attribute):
        return _plain(attribute, replace(native, pass_through=True))
    n, h, w, c = attribute.shape
    dims = Dims(n, c, h, w)
    bound = replace(native, pass_through=True)
    if native.format == "NCHW" and native.shape == tuple(dims) and c > IMAGE_CHANNELS:
        layout = MemoryLayout(attribute.type, "NCHW")
        return NativeTensor(attribute, bound, dims, layout, max(native.size, native.size_with_stride))
    if stored is not None and stored.layout != Stored.NC1HWC2:
        raise _refusal(
            "input", attribute, "an operator on the CPU reads it, in an order that the runtime does not report"
        )
    if native.format == "NC1HWC2":
        return _blocks("input", attribute, bound, dims)
    if native.format == "NHWC" and c <= IMAGE_CHANNELS and native.shape == attribute.shape:
        row = native.row or w
        if row < w:
            raise _refusal("input", attribute, f"its rows have {w} pixels, but are said to be {row} apart")
        layout = MemoryLayout(attribute.type, "NHWC", row=row)
        size = n * h * row * c * itemsize(attribute.type)
        return NativeTensor(attribute, bound, dims, layout, max(size, native.size_with_stride))
    raise _refusal("input", attribute, f"the runtime keeps it as {native.format} {list(native.shape)}")


def raw_image(tensor: NativeTensor) -> NativeTensor | None:
    """Return the same input bound for uint8 pixels that the NPU converts; None if it does not convert them."""
    if tensor.attribute.type != "int8" or tensor.layout.format != "NHWC":
        return None
    size = tensor.size  # of the same memory: both types have one byte
    bound = replace(tensor.attribute, type="uint8", format="NHWC", row=tensor.layout.row, size_with_stride=size)
    return replace(tensor, bound=bound, layout=replace(tensor.layout, type="uint8"))


def native_output(attribute: TensorAttribute, native: TensorAttribute) -> NativeTensor:
    """Describe an output, as the NPU writes it.

    Args:
        attribute: of ``RKNN_QUERY_OUTPUT_ATTR``.
        native: of ``RKNN_QUERY_NATIVE_OUTPUT_ATTR``, or the current one of a dynamic model.

    Raises:
        RknnValueError: its memory cannot be understood.
    """
    _check_type("output", attribute)
    if native.format != "NC1HWC2":
        if native.shape != attribute.shape or native.format == "NHWC":
            raise _refusal("output", attribute, f"the runtime keeps it as {native.format} {list(native.shape)}")
        return _plain(attribute, native)
    if len(attribute.shape) != 4 or attribute.format != "NCHW":
        raise _refusal("output", attribute, f"the runtime keeps blocks of channels of a {attribute.format} tensor")
    return _blocks("output", attribute, native, Dims(*attribute.shape))


# ---- Between arrays and memory ----


def input_conversion(
    tensor: NativeTensor, dtype: np.dtype[Any], order: str, normalisation: Preprocessing | None, row: int = 0
) -> Conversion:
    """Return the conversion from a C-contiguous array to memory that is bound as ``tensor`` says.

    Args:
        tensor: of :func:`native_input` or :func:`raw_image`.
        dtype: the array's.
        order: ``"NCHW"`` or ``"NHWC"``, the array's; ignored for anything but an image.
        normalisation: the model file's normalisation of this input.
        row: pixels from one row of the array to the next; 0: as many as a row has.

    Raises:
        RknnValueError: there is no kernel for it.
    """
    formula = _input_formula(tensor, dtype, normalisation)
    source = MemoryLayout(dtype.name, order if tensor.is_image else "NCHW", row=row)
    if formula is None:
        raise _refusal("input", tensor.attribute, f"no conversion from {dtype} is known")
    return _conversion("input", tensor, source, tensor.layout, formula)


def output_conversion(tensor: NativeTensor, dtype: np.dtype[Any], order: str = "NCHW") -> Conversion:
    """Return the conversion from memory that is bound as ``tensor`` says to a C-contiguous array.

    ``dtype`` is float32, or the tensor's own type; see :func:`input_conversion`.
    """
    destination = MemoryLayout(dtype.name, order if tensor.is_image else "NCHW")
    return _conversion("output", tensor, tensor.layout, destination, _output_formula(tensor, dtype))


def itemsize(type_: str) -> int:
    """Return the bytes of an element."""
    return np.dtype(type_).itemsize


def _input_formula(tensor: NativeTensor, dtype: np.dtype[Any], normalisation: Preprocessing | None) -> Formula | None:
    attribute, channels = tensor.attribute, tensor.dims.c
    if tensor.layout.type == "uint8" and attribute.type != "uint8":
        return formulas.pixels(channels, normalisation) if dtype == np.uint8 else None
    if attribute.type in ("float16", "float32"):
        if dtype == np.dtype(attribute.type) and normalisation is None:
            return formulas.copy()
        return formulas.normalise(channels, normalisation)
    if dtype == np.dtype(attribute.type):
        return formulas.copy()  # quantised already, or a plain integer
    if attribute.type != "int8":
        return None
    if not _is_nhwc(attribute):
        return formulas.quantise_plain(attribute)
    if channels <= IMAGE_CHANNELS:
        return formulas.quantise_image(attribute, channels, normalisation)
    return formulas.quantise_channels(attribute, channels, normalisation)


def _output_formula(tensor: NativeTensor, dtype: np.dtype[Any]) -> Formula:
    if dtype == np.dtype(tensor.attribute.type):
        return formulas.copy()
    return formulas.widen() if tensor.attribute.type == "float16" else formulas.dequantise(tensor.attribute)


def _conversion(
    kind: str, tensor: NativeTensor, source: MemoryLayout, destination: MemoryLayout, formula: Formula
) -> Conversion:
    try:
        return Conversion(
            tensor.dims,
            source,
            destination,
            formula.rule,
            formula.a,
            formula.b,
            formula.gap,
            tensor.attribute.name,
        )
    except RknnValueError:
        reason = f"there is no kernel from {source.type} {source.format} to {destination.type} {destination.format}"
        raise _refusal(kind, tensor.attribute, reason) from None


# ---- Layouts ----


def _plain(attribute: TensorAttribute, bound: TensorAttribute) -> NativeTensor:
    shape = attribute.shape
    dims = Dims(*shape) if len(shape) == 4 else Dims(1, 1, 1, attribute.elements)
    # The most bytes that any of the runtime's answers names: older runtimes pad the second dimension of inputs.
    size = max(attribute.elements * itemsize(attribute.type), attribute.size_with_stride, bound.size_with_stride)
    return NativeTensor(attribute, bound, dims, MemoryLayout(attribute.type, "NCHW"), size)


def _blocks(kind: str, attribute: TensorAttribute, bound: TensorAttribute, dims: Dims) -> NativeTensor:
    """Describe a tensor in NC1HWC2; the native shape gives the distance between the blocks.

    For inputs that is H x W, which is also the stride that the compiler gives the layers that read them, although the
    sizes in ``RKNN_QUERY_INPUT_ATTR`` are those of surfaces rounded up to four pixels. Those of outputs are rounded:
    their shape then is ``[N, C1, 1, pixels, C2]``.
    """
    if len(bound.shape) != 5 or bound.shape[0] != dims.n:
        raise _refusal(kind, attribute, f"the runtime keeps it as {bound.format} {list(bound.shape)}")
    n, c1, height, width, c2 = bound.shape
    if height * width < dims.h * dims.w or c1 * c2 < dims.c:
        raise _refusal(kind, attribute, f"it does not fit into {bound.format} {list(bound.shape)}")
    layout = MemoryLayout(attribute.type, "NC1HWC2", c1=c1, c2=c2, surface=height * width)
    size = n * c1 * height * width * c2 * itemsize(attribute.type)
    return NativeTensor(attribute, bound, dims, layout, max(size, bound.size_with_stride, attribute.size_with_stride))


def _is_nhwc(attribute: TensorAttribute) -> bool:
    return len(attribute.shape) == 4 and attribute.format == "NHWC"


def _check_type(kind: str, attribute: TensorAttribute) -> None:
    if attribute.type in FOREIGN or attribute.type not in TYPES:
        raise _refusal(kind, attribute, f"its type is {attribute.type}")


def _refusal(kind: str, attribute: TensorAttribute, reason: str) -> RknnValueError:
    return RknnValueError(f"{kind} {attribute.name!r} cannot be bound to NPU memory: {reason}")
