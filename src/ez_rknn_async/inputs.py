"""From whatever array the user has to what the runtime reads.

The vendor's library reads a 4-D input only in NHWC order: handed NCHW it logs a line, returns success and leaves the
NPU's buffer as it was. It also ignores, silently, combinations of types that it does not convert. So both are settled
here, before it is called: what leaves this module is dense, in the runtime's order, and of a type that it converts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .errors import RknnTypeError, RknnValueError
from .node_arg import NodeArg, Quantization
from .runtime.context import FORMATS, TYPES
from .runtime.engine import transpose

if TYPE_CHECKING:
    import numpy.typing as npt

    from .runtime.context import TensorAttribute

    Array = npt.NDArray[Any]

# The types that the runtime converts to a float16 or a quantised input by itself.
_CONVERTED = ("float32", "float16", "uint8")


class Prepared(NamedTuple):
    """An input as ``rknn_inputs_set`` takes it."""

    array: Array  # C-contiguous
    type: int  # rknn_tensor_type
    format: int  # rknn_tensor_format
    pass_through: bool


@dataclass(frozen=True)
class Input:
    """One input of the model: its attribute in the runtime, and the layout that the user chose."""

    attribute: TensorAttribute
    layout: str  # "nchw", "nhwc" or "any"

    @property
    def is_image(self) -> bool:
        """Whether the runtime wants NHWC, so that the user's layout matters."""
        return len(self.attribute.shape) == 4 and self.attribute.format == "NHWC"

    @property
    def node_arg(self) -> NodeArg:
        """This input as the user sees it."""
        attribute = self.attribute
        nchw = self.is_image and self.layout == "nchw"
        return NodeArg(
            name=attribute.name,
            shape=list(_to_nchw(attribute.shape) if nchw else attribute.shape),
            dtype=attribute.type,
            layout="NCHW" if nchw else attribute.format,
            quantization=quantization(attribute),
        )

    def prepare(self, value: Any, *, private: bool) -> Prepared:
        """Check and convert one value.

        Args:
            value: an array, or anything that numpy makes one of.
            private: whether the result must not share memory with ``value``, because the caller may change it while the
                task is still under way.

        Raises:
            RknnTypeError: it holds no real numbers.
            RknnValueError: its shape is not the model's.
        """
        given = np.asarray(value)
        self._check(given)
        if self.is_image and not self._is_nhwc(given.shape):
            array = nchw_to_nhwc(self._cast(given))
        else:
            array = np.ascontiguousarray(self._cast(given)).reshape(given.shape)
        if private and np.may_share_memory(array, given):
            array = array.copy()
        return self._declare(array)

    def _check(self, given: Array) -> None:
        if given.dtype.kind not in "fiub":
            raise RknnTypeError(
                f"input {self.attribute.name!r} is of type {given.dtype}, which holds no real numbers; "
                f"pass any float, integer or bool array"
            )
        if given.shape not in self._shapes():
            expected = " or ".join(str(list(shape)) for shape in self._shapes())
            raise RknnValueError(
                f"input {self.attribute.name!r} has shape {list(given.shape)}, but the model takes {expected}"
                + self._advice(given.shape)
            )

    def _shapes(self) -> tuple[tuple[int, ...], ...]:
        nhwc = self.attribute.shape
        if not self.is_image or self.layout == "nhwc":
            return (nhwc,)
        return (_to_nchw(nhwc),) if self.layout == "nchw" else (nhwc, _to_nchw(nhwc))

    def _is_nhwc(self, shape: tuple[int, ...]) -> bool:
        # With "any", a shape that fits both orders is taken for the runtime's own.
        return self.layout != "nchw" and shape == self.attribute.shape

    def _advice(self, shape: tuple[int, ...]) -> str:
        if self.is_image and self.layout == "nchw" and shape == self.attribute.shape:
            return "; it is in NHWC order: set the provider option layout='nhwc', or transpose it"
        if self.is_image and self.layout == "nhwc" and shape == _to_nchw(self.attribute.shape):
            return "; it is in NCHW order: set the provider option layout='nchw', or transpose it"
        if math.prod(shape) == self.attribute.elements:
            return "; it has the right number of elements: reshape it"
        return ""

    def _cast(self, given: Array) -> Array:
        array = given if given.dtype.isnative else given.astype(given.dtype.newbyteorder("="))
        wanted = self.attribute.type
        if wanted not in ("int8", "float16", "float32"):
            return array.astype(wanted, copy=False)
        if array.dtype.name in _CONVERTED:
            return self._saturate(array)
        if array.dtype.name == "int8" and wanted == "int8":
            return array  # already quantised
        return self._saturate(array.astype(np.float32))

    def _saturate(self, array: Array) -> Array:
        """Keep the runtime from wrapping: it saturates what it quantises for 4-D inputs, but not for others."""
        if self.attribute.type != "int8" or self.is_image:
            return array
        scale, zero_point = self.attribute.scale, self.attribute.zero_point
        lowest, highest = (-128 - zero_point) * scale, (127 - zero_point) * scale
        clipped: Array = np.clip(array.astype(np.float32), lowest, highest)
        return clipped

    def _declare(self, array: Array) -> Prepared:
        if array.dtype.name == "int8" and not self.is_image and self.attribute.type == "int8":
            # The runtime converts int8 for 4-D inputs only; elsewhere quantised data goes through as it is.
            return Prepared(array, TYPES.index("int8"), FORMATS.index("UNDEFINED"), True)
        return Prepared(array, TYPES.index(array.dtype.name), FORMATS.index(self.attribute.format), False)


def quantization(attribute: TensorAttribute) -> Quantization | None:
    """The quantisation of a tensor; None where its type is not a quantised one."""
    return Quantization(attribute.scale, attribute.zero_point) if attribute.type in ("int8", "uint8") else None


def nchw_to_nhwc(array: Array) -> Array:
    """A C-contiguous NHWC array of an NCHW one; without a copy where the memory is in that order already."""
    view: Array = array.transpose(0, 2, 3, 1)
    if view.flags.c_contiguous:
        return view
    n, c, h, w = array.shape
    result = np.empty((n, h, w, c), array.dtype)
    transpose(np.ascontiguousarray(array), result, n, c, h * w)
    return result


def arrange(feed: Any, names: Sequence[str]) -> list[Any]:
    """The values of a feed in the model's order.

    Args:
        feed: a mapping from input names to values, a sequence of values in order, or one array for the only input.
        names: the model's input names.

    Raises:
        RknnValueError, RknnTypeError: a value is missing or not of this model.
    """
    if isinstance(feed, Mapping):
        missing, unknown = [n for n in names if n not in feed], [n for n in feed if n not in names]
        if missing or unknown:
            raise RknnValueError(
                "the feed "
                + " and ".join(
                    [f"lacks input {', '.join(map(repr, missing))}"] * bool(missing)
                    + [f"has {', '.join(map(repr, unknown))}"] * bool(unknown)
                )
                + f"; the model's inputs are {', '.join(map(repr, names))}"
            )
        return [feed[name] for name in names]
    values = list(feed) if isinstance(feed, Sequence) and not isinstance(feed, (str, bytes)) else None
    if values is None:
        if not hasattr(feed, "__array__"):
            raise RknnTypeError(f"the feed is of type {type(feed).__name__}; pass a dict, a sequence or one array")
        values = [feed]
    if len(values) != len(names):
        raise RknnValueError(
            f"the feed has {len(values)} value(s), but the model has {len(names)} input(s): "
            f"{', '.join(map(repr, names))}"
        )
    return values


def _to_nchw(nhwc: tuple[int, ...]) -> tuple[int, ...]:
    n, h, w, c = nhwc
    return (n, c, h, w)
