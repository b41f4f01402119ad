# SPDX-License-Identifier: Apache-2.0
"""The checks of inputs: from whatever the user passes to arrays that fit the model.

A checked array has one of the model's shapes, and a type that can be converted to the model's own; :mod:`.copying` and
:mod:`.direct` send it to the NPU.
"""

from __future__ import annotations

import functools
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .._messages.names import inputs_are, meant
from .._messages.shape_advice import Expected, advice
from .._messages.wording import shown
from ..errors import RknnTypeError, RknnValueError
from .as_array import as_array
from .casting import cast, uncast
from .node_arg import NodeArg, quantization
from .shapes import listing, to_nchw, to_nhwc

if TYPE_CHECKING:
    import numpy.typing as npt

    from .._runtime.tensor_attribute import TensorAttribute

    Array = npt.NDArray[Any]
    Shape = tuple[int, ...]

logger = logging.getLogger("ez_rknn_async")


class Given(NamedTuple):
    """One value, checked: of a shape that the model takes and of a type that can be converted."""

    array: Array  # of any strides
    order: str  # of an image, "NCHW" or "NHWC"; otherwise "NCHW"
    shape: Shape  # in the runtime's order
    is_new: bool  # True if no one else has the array's memory


@dataclass(frozen=True)
class Input:
    """One input of the model: its attribute in the runtime, and the layout that the user chose.

    ``shapes`` are the legal ones in the runtime's order of dimensions, where there are others than the attribute's own.
    """

    attribute: TensorAttribute
    layout: str  # "nchw", "nhwc" or "any"
    shapes: tuple[Shape, ...] = ()

    @functools.cached_property
    def is_image(self) -> bool:
        """True if the runtime wants NHWC, so that the user's layout matters."""
        return len(self.attribute.shape) == 4 and self.attribute.format == "NHWC"

    @property
    def node_arg(self) -> NodeArg:
        """This input as the user sees it."""
        attribute = self.attribute
        return NodeArg(
            name=attribute.name,
            shape=list(self.for_user(attribute.shape)),
            dtype=attribute.type,
            layout="NCHW" if self.is_image and self.layout == "nchw" else attribute.format,
            quantization=quantization(attribute),
            shapes=[list(self.for_user(shape)) for shape in self._legal],
        )

    @property
    def batch(self) -> int:
        """The number of samples that one inference takes: the first dimension in any layout; 1 for a single number."""
        return min(shape[0] for shape in self._legal) if self.attribute.shape else 1

    def for_user(self, shape: Shape) -> Shape:
        """Turn a shape in the runtime's order into the order that the user chose."""
        return to_nchw(shape) if self.is_image and self.layout == "nchw" else shape

    def check(self, value: Any) -> Given:
        """Check one value, and cast it to a type that can be converted.

        Args:
            value: anything that :func:`~.as_array.as_array` takes; a single number where the input has one element.

        Raises:
            RknnTypeError: it holds no real numbers.
            RknnValueError: its shape is not the model's, or an integer would change.
        """
        # The common case makes no further call, not even Given(...): every inference passes through here.
        if type(value) is np.ndarray and value.dtype in self._uncast:
            known = self._orders.get(value.shape)
            if known is not None:
                return tuple.__new__(Given, (value, *known, False))
        given = self._shaped(as_array(value, self.attribute.name))
        array = cast(given, self.attribute.type, self.attribute.name)
        if array.dtype == np.int8:
            self._note_quantised()
        is_new = array is not given and not np.may_share_memory(array, given)
        return Given(array, *self._orders[given.shape], is_new)

    @functools.cached_property
    def _uncast(self) -> tuple[np.dtype[Any], ...]:
        """The types of arrays that are sent as they are; int8 joins them once :meth:`_note_quantised` was called."""
        return tuple(dtype for dtype in uncast(self.attribute.type) if dtype != np.int8)

    def _note_quantised(self) -> None:
        """Log that an int8 array is taken as already quantised, and let later ones pass without."""
        attribute = self.attribute
        logger.info(
            "input %r: int8 arrays are taken as already quantised, real = (quantised - %d) * %g; pass float32 to have "
            "them quantised",
            attribute.name,
            attribute.zero_point,
            attribute.scale,
        )
        vars(self)["_uncast"] = uncast(attribute.type)

    @functools.cached_property
    def _orders(self) -> dict[Shape, tuple[str, Shape]]:
        """The order of an image and the shape in the runtime's order, for each shape that arrays may have."""
        return {shape: self._order(shape) for shape in self._accepted}

    def _order(self, shape: Shape) -> tuple[str, Shape]:
        if self.is_image and not self._is_nhwc(shape):
            return "NCHW", to_nhwc(shape)
        return "NHWC" if self.is_image else "NCHW", shape

    @functools.cached_property
    def _legal(self) -> tuple[Shape, ...]:
        return self.shapes or (self.attribute.shape,)

    def _shaped(self, given: Array) -> Array:
        accepted = self._accepted
        if given.shape in accepted:
            return given
        if given.ndim == 0:
            for shape in accepted:
                if math.prod(shape) == 1:
                    return given.reshape(shape)
        raise RknnValueError(
            f"input {self.attribute.name!r} has shape {list(given.shape)}, but the model takes {listing(accepted)}"
            + advice(given.shape, self.expected)
        )

    @functools.cached_property
    def _accepted(self) -> tuple[Shape, ...]:
        return tuple(expected.shape for expected in self.expected)

    @functools.cached_property
    def expected(self) -> tuple[Expected, ...]:
        """The shapes that arrays may have, in the user's layout."""
        if not self.is_image:
            return tuple(map(Expected, self._legal))
        other = {"nchw": "NHWC", "nhwc": "NCHW"}.get(self.layout, "")
        nhwc = tuple(Expected(shape, "NHWC", other) for shape in self._legal)
        nchw = tuple(Expected(to_nchw(shape), "NCHW", other) for shape in self._legal)
        return {"nhwc": nhwc, "nchw": nchw}.get(self.layout, nhwc + nchw)

    def _is_nhwc(self, shape: Shape) -> bool:
        # With "any", a shape that fits both orders is taken for the runtime's own.
        return self.layout != "nchw" and shape in self._legal


def arrange(feed: Any, names: Sequence[str]) -> list[Any]:
    """Return the values of a feed in the model's order.

    Args:
        feed: a mapping from input names to values, a sequence of values in order, or one array for the only input.
        names: the model's input names.

    Raises:
        RknnValueError, RknnTypeError: a value is missing or not of this model.
    """
    # dict first: recognising it is fast, whereas isinstance(feed, Mapping) is slow.
    if isinstance(feed, (dict, Mapping)):
        if len(feed) != len(names) or not all(map(feed.__contains__, names)):
            raise RknnValueError(_misnamed(feed, names))
        return list(map(feed.__getitem__, names))
    values = list(feed) if isinstance(feed, Sequence) and not isinstance(feed, (str, bytes)) else None
    if values is None:
        if not (hasattr(feed, "__array__") or hasattr(feed, "__dlpack__")):
            raise RknnTypeError(
                f"the feed cannot be {shown(feed)}; pass a dictionary {{name: array}}, a list of arrays or one array"
            )
        values = [feed]
    if len(values) != len(names):
        raise RknnValueError(
            f"the feed has {len(values)} value(s), but the model has {len(names)} input(s): "
            f"{', '.join(map(repr, names))}"
        )
    return values


def _misnamed(feed: Mapping[Any, Any], names: Sequence[str]) -> str:
    """Return the message for a feed whose names are not the model's."""
    missing, unknown = [n for n in names if n not in feed], [n for n in feed if n not in names]
    faults = [f"lacks input {', '.join(map(repr, missing))}"] * bool(missing)
    faults += [f"has {', '.join(map(shown, unknown))}"] * bool(unknown)
    suggestions = [suggestion for name in unknown if (suggestion := meant(name, missing or names))]
    return f"the feed {' and '.join(faults)}; {'; '.join([*suggestions, inputs_are(names)])}"


def owned(feed: Any, names: Sequence[str]) -> list[Array]:
    """Return the values of a feed in the model's order, in arrays that no one else has.

    Raises:
        RknnValueError, RknnTypeError: as :func:`arrange` and :func:`~.as_array.as_array`.
    """
    return [as_array(value, name).copy("K") for name, value in zip(names, arrange(feed, names))]
