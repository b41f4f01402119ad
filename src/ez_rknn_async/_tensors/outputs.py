# SPDX-License-Identifier: Apache-2.0
"""The arrays that receive a model's outputs."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .._messages.names import meant
from .._messages.wording import shown
from .._runtime.tensor_attribute import FOREIGN
from ..errors import RknnTypeError, RknnValueError
from .element_types import PLAIN_INTEGERS
from .node_arg import NodeArg, quantization
from .shapes import to_nhwc

if TYPE_CHECKING:
    import numpy.typing as npt

    from .._runtime.tensor_attribute import TensorAttribute

    Array = npt.NDArray[Any]
    Shape = tuple[int, ...]

_FLOAT32 = np.dtype(np.float32)


class Choice(NamedTuple):
    """The element type and layout of one inference's outputs; None: as the session's options say."""

    native: bool | None = None  # in the element type that they have inside the NPU
    layout: str | None = None  # of images: "nchw" or "nhwc"


AS_THE_SESSION = Choice()


class Receiver(NamedTuple):
    """An array that receives one output, and its meaning.

    Attributes:
        array: C-contiguous, in the shape that the user wants.
        want_float: True if its numbers are the real ones, as float32.
        order: of an image, ``"NCHW"`` or ``"NHWC"``; otherwise ``"NCHW"``, as the dimensions are.
    """

    array: Array
    want_float: bool
    order: str = "NCHW"


class Allocation(NamedTuple):
    """A new array for one output of an inference, yet to be made; see :class:`Receiver`."""

    shape: Shape
    dtype: np.dtype[Any]
    want_float: bool
    order: str

    def receiver(self) -> Receiver:
        """Allocate the array."""
        return Receiver(np.empty(self.shape, self.dtype), self.want_float, self.order)


@dataclass(frozen=True)
class Output:
    """One output of the model: its attribute in the runtime, and the layout that the user chose for images.

    Shapes that are passed to its methods are in the runtime's order of dimensions.
    """

    attribute: TensorAttribute
    layout: str = "nchw"  # or "nhwc"

    @functools.cached_property
    def is_image(self) -> bool:
        """True if the runtime gives NCHW, so that the layout matters."""
        return len(self.attribute.shape) == 4 and self.attribute.format == "NCHW"

    def order(self, layout: str | None = None) -> str:
        """Return ``"NHWC"`` for images in that layout (None: the session's), otherwise ``"NCHW"``."""
        return "NHWC" if (layout or self.layout) == "nhwc" and self.is_image else "NCHW"

    def for_user(self, shape: Shape, layout: str | None = None) -> Shape:
        """Turn a shape into the order that the user chose."""
        return to_nhwc(shape) if self.order(layout) == "NHWC" else shape

    def node_arg(self, shapes: Sequence[Shape] = (), *, native: bool = False) -> NodeArg:
        """Describe this output as the user sees it; ``shapes`` are all that it can have."""
        attribute = self.attribute
        return NodeArg(
            attribute.name,
            list(self.for_user(attribute.shape)),
            attribute.type,
            self.order() if self.is_image else attribute.format,
            quantization(attribute),
            [list(self.for_user(shape)) for shape in shapes or (attribute.shape,)],
            is_native=native and self._dtypes[-1].name == attribute.type,
        )

    def allocation(self, shape: Shape, native: bool = False, layout: str | None = None) -> Allocation:
        """Describe a new array for one inference's result: float32, or with ``native`` the type inside the NPU.

        A plain integer has that type in any case.
        """
        dtype = self._dtypes[-1 if native else 0]
        return Allocation(self.for_user(shape, layout), dtype, dtype == _FLOAT32, self.order(layout))

    def receive_in(self, array: Any, shape: Shape, layout: str | None = None) -> Receiver:
        """Receive an output in the user's own array, in place; its type says whether the runtime converts.

        Raises:
            RknnTypeError: it is not a numpy array.
            RknnValueError: this output cannot be written into it.
        """
        name, order, shape = self.attribute.name, self.order(layout), self.for_user(shape, layout)
        if not isinstance(array, np.ndarray):
            raise RknnTypeError(f"outputs[{name!r}] must be a numpy array, not {type(array).__name__}")
        dtypes = self._dtypes
        if array.shape != shape or array.dtype not in dtypes:
            possible = " or ".join(dtype.name for dtype in dtypes)
            raise RknnValueError(
                f"outputs[{name!r}] is of type {array.dtype} and shape {list(array.shape)}, but this output needs "
                f"{possible} and {list(shape)}"
            )
        if not (array.flags.c_contiguous and array.flags.writeable):
            raise RknnValueError(
                f"outputs[{name!r}] cannot be written in place: it must be C-contiguous and writable; "
                "make it with numpy.empty"
            )
        return Receiver(array, array.dtype == _FLOAT32, order)

    @functools.cached_property
    def _dtypes(self) -> tuple[np.dtype[Any], ...]:
        return output_dtypes(self.attribute.type)


def output_dtypes(type_: str) -> tuple[np.dtype[Any], ...]:
    """Return the types that an output of this type can have: by default the first, natively the last."""
    if type_ in PLAIN_INTEGERS:
        return (np.dtype(type_),)
    if type_ in ("float32", *FOREIGN):
        return (np.dtype(np.float32),)
    return (np.dtype(np.float32), np.dtype(type_))


def select(requested: Any, names: Sequence[str], call: str = "") -> list[int] | None:
    """Return the indices of the requested outputs, in the order requested; None, for None or no names, means all.

    Args:
        requested: a sequence of names, or None.
        names: of the model's outputs.
        call: the usage of the method that was given the names, for the message of an error.

    Raises:
        RknnValueError: a name is not one of the model's outputs.
        RknnTypeError: it is not a sequence of names, but perhaps the feed.
    """
    if requested is None:
        return None
    if isinstance(requested, str):
        raise RknnTypeError(
            f"output_names takes a sequence of names, not the string {requested!r}; use [{requested!r}]"
        )
    if not _is_names(requested):
        order = f"; it is called as {call}" if call else ""
        raise RknnTypeError(f"output_names takes a sequence of names, or None for all, not {shown(requested)}{order}")
    return [_index(name, names) for name in requested] or None


def selected(arrays: list[Any], wanted: Sequence[int] | None) -> list[Any]:
    """Return the arrays with the indices that :func:`select` returned."""
    return arrays if wanted is None else [arrays[index] for index in wanted]


def _is_names(requested: Any) -> bool:
    if isinstance(requested, (Mapping, bytes)) or hasattr(requested, "dtype") or not hasattr(requested, "__iter__"):
        return False
    return not isinstance(requested, Sequence) or all(isinstance(name, str) for name in requested)


def nearest(name: object, names: Sequence[str]) -> str:
    """Return the message for a name that is not among the model's outputs."""
    suggestion = meant(name, names) or f"the outputs are {', '.join(map(repr, names))}"
    return f"the model has no output {name!r}; {suggestion}"


def _index(name: str, names: Sequence[str]) -> int:
    if name in names:
        return names.index(name)
    raise RknnValueError(nearest(name, names))
