# SPDX-License-Identifier: Apache-2.0
"""The meaning of a device value's bytes: the tensor, its layout, and the conversions to and from arrays.

A :class:`Form` belongs to one input or output of one session, and there are up to three for each:

* ``"nc1hwc2"``: as the NPU itself keeps the tensor; nothing is converted when it runs;
* ``"nhwc"``: in the order of programs and cameras. The same for images of up to four channels; other 4-D tensors the
  runtime converts to the NPU's own layout in every run;
* pixels: an image's raw uint8 pixels, which the runtime or the NPU itself normalises and quantises.

The numbers of a value are the model's: an input's before normalisation, as ``run()`` takes them, an output's after
dequantisation, as ``run()`` returns them. Integers of the tensor's own type stand for themselves.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .._messages.shape_advice import Expected
from .._runtime.kernels import MemoryLayout
from ..errors import RknnValueError
from . import preprocessing as rules
from .element_types import PLAIN_INTEGERS
from .npu_layout import IMAGE_CHANNELS, input_conversion, itemsize, output_conversion

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from .._runtime.kernels import Conversion
    from ..model import Preprocessing
    from .npu_layout import NativeTensor

    Array = npt.NDArray[Any]
    Shape = tuple[int, ...]


@dataclass(frozen=True)
class Form:
    """The form of one tensor in memory.

    Attributes:
        tensor: the layout and the binding of the memory.
        shape: of the arrays that go in and come out.
        order: of an image's arrays, ``"NCHW"`` or ``"NHWC"``.
        normalisation: applied to numbers before they are quantised; None for none.
    """

    tensor: NativeTensor
    shape: Shape
    order: str
    normalisation: Preprocessing | None = None

    @property
    def type(self) -> str:
        """The element type in memory, by numpy's name."""
        return self.tensor.layout.type

    @property
    def is_pixels(self) -> bool:
        """True if the memory holds pixels that the runtime quantises."""
        return self.tensor.bound.type == "uint8" and self.tensor.attribute.type != "uint8"

    @property
    def way(self) -> str:
        """The way of giving a context the tensor: ``"pixels"`` and ``"converted"`` by the runtime, or ``"native"``.

        A context does not survive a change of this; see :mod:`.lanes`.
        """
        if self.is_pixels:
            return "pixels"
        # Inputs in the NPU's own layout pass through; outputs are converted to one order only.
        is_native = self.tensor.bound.pass_through or self.tensor.bound.format != "NHWC"
        return "native" if is_native else "converted"

    @property
    def real_dtype(self) -> np.dtype[Any]:
        """The type of the arrays in which the tensor's real numbers are read."""
        return np.dtype(self.type if self.type in PLAIN_INTEGERS else np.float32)

    @property
    def scale(self) -> float:
        """The scale of the quantisation; 1 where there is none."""
        return 1.0 if self.is_pixels else self.tensor.attribute.scale

    @property
    def zero_point(self) -> int:
        """The zero point of the quantisation; 0 where there is none."""
        return 0 if self.is_pixels else self.tensor.attribute.zero_point

    @property
    def expected(self) -> Expected:
        """The shape and order that arrays have."""
        if not self.tensor.is_image:
            return Expected(self.shape)
        return Expected(self.shape, self.order, "NHWC" if self.order == "NCHW" else "NCHW")

    def writing(self, dtype: np.dtype[Any], order: str) -> Conversion:
        """Return the conversion from a C-contiguous array to the memory.

        Raises:
            RknnValueError: such an array cannot be converted to what the memory holds.
        """
        if self.is_pixels and dtype != np.uint8:
            raise RknnValueError(
                f"the value of {self.tensor.attribute.name!r} holds raw uint8 pixels and cannot take {dtype}; "
                "pass uint8, or make the value with element type float32"
            )
        key = (dtype, order)
        made = self._conversions.get(key)
        return made or self._conversions.setdefault(
            key, input_conversion(self.tensor, dtype, order, self.normalisation)
        )

    def reading(self, dtype: np.dtype[Any]) -> Conversion:
        """Return the conversion from the memory to a C-contiguous array of the tensor's own type or :attr:`real_dtype`.

        An input's numbers are then still normalised; see :meth:`denormalise`.
        """
        key = (dtype, "")
        made = self._conversions.get(key)
        if made is None:
            attribute = replace(self.tensor.attribute, type=self.type, scale=self.scale, zero_point=self.zero_point)
            made = output_conversion(replace(self.tensor, attribute=attribute), dtype, self.order)
        return self._conversions.setdefault(key, made)

    @functools.cached_property
    def _conversions(self) -> dict[tuple[np.dtype[Any], str], Conversion]:
        return {}

    def denormalise(self, array: Array) -> None:
        """Turn normalised float32 numbers into the model's, in place."""
        if self.normalisation is None or array.dtype != np.float32:
            return
        rule = rules.normalise(self.tensor.dims.c, self.normalisation)
        channels = (-1, 1, 1) if self.order == "NCHW" else (-1,)
        array *= np.asarray(rule.b, np.float32).reshape(channels)
        array += np.asarray(rule.a, np.float32).reshape(channels)

    def differences(self, other: Form) -> list[str]:
        """List how ``other`` differs from this form; empty if values of the two are interchangeable."""
        ours, theirs = self._aspects(), other._aspects()
        # After the channels of a single image another block of padding does not matter: outputs often have one more.
        if self.tensor.dims.n == 1 and other.tensor.layout.c1 > self.tensor.layout.c1:
            theirs = {**theirs, "blocks of channels": ours["blocks of channels"]}
        return [f"{what}: {theirs[what]} instead of {ours[what]}" for what in ours if ours[what] != theirs[what]]

    def _aspects(self) -> dict[str, Any]:
        tensor, layout = self.tensor, self.tensor.layout
        extents = list(tensor.dims) if tensor.is_image else list(tensor.attribute.shape)
        return {
            "element type": layout.type,
            "shape": extents,
            "layout": layout.format,
            "row of pixels": layout.row or tensor.dims.w,
            "blocks of channels": layout.c1,
            "channels of a block": layout.c2,
            "pixels of a block": layout.surface,
            "scale": self.scale,
            "zero point": self.zero_point,
            "mean": None if self.normalisation is None else list(self.normalisation.mean),
            "standard deviation": None if self.normalisation is None else list(self.normalisation.std),
        }


@dataclass(frozen=True)
class Forms:
    """The forms of one input or output, in the session's order of preference."""

    native: Form
    nhwc: Form
    pixels: Form | None
    prefers_nhwc: bool

    def __iter__(self) -> Iterator[Form]:
        return iter(form for form in (self.preferred, self.nhwc, self.native, self.pixels) if form is not None)

    @property
    def preferred(self) -> Form:
        """The form that the provider option ``zero_copy_layout`` names."""
        return self.nhwc if self.prefers_nhwc else self.native

    def named(self, layout: str) -> Form:
        """Return the form with a name: ``"nhwc"``, ``"nc1hwc2"``, or ``"session"`` for the preferred one."""
        return {"nhwc": self.nhwc, "nc1hwc2": self.native}.get(layout, self.preferred)


def input_forms(
    tensor: NativeTensor, shape: Shape, order: str, normalisation: Preprocessing | None, prefers_nhwc: bool
) -> Forms:
    """Return the forms of an input, for arrays of this shape and order."""
    native = Form(tensor, shape, order, _effective(tensor, normalisation))
    nhwc = replace(native, tensor=_nhwc_input(tensor, native.normalisation))
    raw = _pixels(tensor)
    pixels = None if raw is None else Form(raw, shape, order)
    return Forms(native, nhwc, pixels, prefers_nhwc)


def output_forms(tensor: NativeTensor, shape: Shape, order: str, prefers_nhwc: bool) -> Forms:
    """Return the forms of an output, for arrays of this shape and order."""
    native = Form(tensor, shape, order)
    return Forms(native, replace(native, tensor=_nhwc_output(tensor)), None, prefers_nhwc)


def _effective(tensor: NativeTensor, normalisation: Preprocessing | None) -> Preprocessing | None:
    """Return what the runtime would apply: it normalises quantised inputs only if they are 4-D, and integers never."""
    attribute = tensor.attribute
    if attribute.type in PLAIN_INTEGERS or (attribute.type == "int8" and attribute.format != "NHWC"):
        return None
    if normalisation is None:
        return None
    trivial = all(m == 0 for m in normalisation.mean) and all(s == 1 for s in normalisation.std)
    return None if trivial else normalisation


def _nhwc_input(tensor: NativeTensor, normalisation: Preprocessing | None) -> NativeTensor:
    attribute = tensor.attribute
    if attribute.format != "NHWC" or tensor.layout.format == "NHWC" or attribute.type not in ("int8", "float16"):
        return tensor
    if attribute.type == "float16" and normalisation is not None:
        return tensor  # the runtime would normalise float16 a second time
    n, c, h, w = tensor.dims
    row = attribute.row or w
    bound = replace(attribute, pass_through=False)
    size = n * h * row * c * itemsize(attribute.type)
    return replace(tensor, bound=bound, layout=MemoryLayout(attribute.type, "NHWC", row=row), size=size)


def _nhwc_output(tensor: NativeTensor) -> NativeTensor:
    attribute = tensor.attribute
    if tensor.layout.format != "NC1HWC2":
        return tensor
    n, c, h, w = tensor.dims
    size = n * c * h * w * itemsize(attribute.type)
    bound = replace(
        attribute, shape=(n, h, w, c), format="NHWC", row=0, size=size, size_with_stride=size, pass_through=False
    )
    return replace(tensor, bound=bound, layout=MemoryLayout(attribute.type, "NHWC", row=w), size=size)


def _pixels(tensor: NativeTensor) -> NativeTensor | None:
    attribute = tensor.attribute
    if tensor.layout.format != "NHWC" or tensor.dims.c > IMAGE_CHANNELS or attribute.type not in ("int8", "float16"):
        return None
    n, c, h, w = tensor.dims
    row = tensor.layout.row or w
    size = n * h * row * c
    bound = replace(attribute, type="uint8", row=row, size=n * h * w * c, size_with_stride=size, pass_through=False)
    return replace(tensor, bound=bound, layout=replace(tensor.layout, type="uint8"), size=size)
