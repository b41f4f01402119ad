# SPDX-License-Identifier: Apache-2.0
"""I/O by copy, through the runtime's general calls ``rknn_inputs_set`` and ``rknn_outputs_get``.

The vendor's library reads a 4-D input only in NHWC order: given NCHW it logs a line, returns success and leaves the
NPU's buffer as it was. It also silently ignores combinations of types that it does not convert. So both are settled
here, before it is called: its inputs are dense, in its own order, and of a type that it converts.

In tensors of five and more channels it normalises only the first four by their own mean and deviation, and the others
by the first channel's. Those are normalised here.

Nor does one of its contexts, once given the pixels of an int8 image, ever again take that input in another type: the
NPU goes on normalising. Those inputs have :mod:`lanes <.lanes>`, as they do with direct I/O.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .._runtime.kernels import transpose
from .._runtime.tensor_attribute import FOREIGN, FORMATS, TYPES
from .._tensors.channel_normalisation import ChannelNormalisation, is_mistaken
from .._tensors.nan_warnings import NanWarnings
from .._tensors.npu_layout import IMAGE_CHANNELS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from .._contexts.lanes import Lanes
    from .._runtime.kernels import Conversion
    from .._runtime.task import EngineTask, Result
    from .._runtime.tensor_attribute import TensorAttribute
    from .._tensors.inputs import Given, Input
    from .._tensors.outputs import Receiver
    from ..model import Preprocessing
    from .signature import Signature

    Array = npt.NDArray[Any]

# The runtime's numbers for numpy's types; a dictionary, because reading a dtype's name is slow.
_TYPES = {np.dtype(name): number for number, name in enumerate(TYPES) if name not in FOREIGN}


class Source(NamedTuple):
    """An input as ``rknn_inputs_set`` takes it."""

    array: Array  # C-contiguous
    type: int  # rknn_tensor_type
    format: int  # rknn_tensor_format
    pass_through: bool


class Destination(NamedTuple):
    """An output as ``rknn_outputs_get`` writes it."""

    receiver: Receiver
    array: Array  # the receiver's own, or one in NCHW order, the only order that the runtime knows for images


class CopyingRequest:
    """A request whose arrays the runtime copies and converts.

    Attributes:
        sources: the inputs, in the model's order.
        destinations: the outputs.
        shapes: for ``rknn_set_input_shapes``.
    """

    # The runtime makes the remaining conversions.
    quantisations: Sequence[Conversion] = ()
    needs_result = False

    def __init__(self, sources: list[Source], destinations: list[Destination], lane: int, shapes: Any) -> None:
        """Run on this ``lane`` of a worker's contexts."""
        self.sources = sources
        self.destinations = destinations
        self.shapes = shapes
        self._lane = lane

    def fill(self, task: EngineTask) -> None:
        """Write this request into the structures of a task."""
        for index, source in enumerate(self.sources):
            task.set_input(index, *source)
        for index, destination in enumerate(self.destinations):
            task.set_output(index, destination.array, destination.receiver.want_float)
        task.set_contexts(self._lane, self.shapes)

    def ended(self, result: Result | None) -> None:
        """Release nothing: its arrays belong to their owners alone."""

    @property
    def arrays(self) -> list[Array]:
        """The receivers' arrays, each in its own order."""
        return [_in_order(destination) for destination in self.destinations]


def _in_order(destination: Destination) -> Array:
    wanted = destination.receiver.array
    if destination.array is not wanted:
        n, h, w, c = wanted.shape
        transpose(destination.array, wanted, n, c, h * w)
    return wanted


class Copying:
    """The transport of a session without direct I/O; see :class:`.protocol.Transport`."""

    def __init__(
        self,
        signature: Signature,
        lanes: Lanes | None = None,
        normalisations: Sequence[Preprocessing | None] = (),
        nans: NanWarnings | None = None,
    ) -> None:
        """Serve the inputs of a model.

        Args:
            signature: the model's inputs and outputs.
            lanes: the session's. Without them all inferences run on one context, which must always get one type.
            normalisations: the model file's normalisation of each input.
            nans: warns of NaNs that are found here.
        """
        self._inputs, self._descriptions, self._lanes = signature.inputs, signature.descriptions, lanes
        self._takes_pixels = [takes_pixels(target.attribute) for target in signature.inputs]
        self._nans = nans or NanWarnings()
        self._normalised_here = {
            index: ChannelNormalisation(target.attribute, normalisation)
            for index, (target, normalisation) in enumerate(zip(signature.inputs, normalisations))
            if normalisation is not None and target.is_image and is_mistaken(normalisation)
        }

    def request(
        self, given: Sequence[Given], chosen: int, receivers: Sequence[Receiver], *, private: bool
    ) -> CopyingRequest:
        """Bring the inputs into the runtime's order; see :meth:`.Transport.request`."""
        lane = self._lane(given)
        sources = [self._source(index, value, private) for index, value in enumerate(given)]
        return CopyingRequest(sources, list(map(_destination, receivers)), lane, self._descriptions[chosen])

    def _lane(self, given: Sequence[Given]) -> int:
        """Return the lane for inputs of these types."""
        if self._lanes is None or not any(self._takes_pixels):
            return 0
        return self._lanes.number(
            tuple(
                "pixels" if takes and value.array.dtype == np.uint8 else "copied"
                for takes, value in zip(self._takes_pixels, given)
            )
        )

    def _source(self, index: int, given: Given, private: bool) -> Source:
        """Bring a value into the runtime's order."""
        target = self._inputs[index]
        here = self._normalised_here.get(index)
        if here is not None and given.array.dtype != np.int8:
            array, has_nan = here.normalised(given)
            if has_nan:
                self._nans.warn(target.attribute.name)
            return _declare(target, array)
        array = self._saturated(target, given.array)
        if target.is_image and given.order == "NCHW":
            array = nchw_to_nhwc(array)
        else:
            array = np.ascontiguousarray(array).reshape(given.shape)
        if private and not given.is_new and np.may_share_memory(array, given.array):
            array = array.copy()
        return _declare(target, array)

    def _saturated(self, target: Input, array: Array) -> Array:
        """Keep the runtime from wrapping: it saturates what it quantises for 4-D inputs, but not for others."""
        attribute = target.attribute
        if attribute.type != "int8" or target.is_image or array.dtype == np.int8:
            return array
        scale, zero_point = attribute.scale, attribute.zero_point
        lowest, highest = (-128 - zero_point) * scale, (127 - zero_point) * scale
        clipped: Array = np.clip(array.astype(np.float32), lowest, highest)
        is_nan = np.isnan(clipped)
        if is_nan.any():
            clipped[is_nan] = highest  # as for 4-D inputs
            self._nans.warn(attribute.name)
        return clipped


def _destination(receiver: Receiver) -> Destination:
    """Return an array for an output; images in NHWC order go through an NCHW one."""
    if receiver.order != "NHWC":
        return Destination(receiver, receiver.array)
    n, h, w, c = receiver.array.shape
    return Destination(receiver, np.empty((n, c, h, w), receiver.array.dtype))


def nchw_to_nhwc(array: Array) -> Array:
    """Return a C-contiguous NHWC array of an NCHW one; without a copy where the memory is in that order already."""
    view: Array = array.transpose(0, 2, 3, 1)
    if view.flags.c_contiguous:
        return view
    n, c, h, w = array.shape
    result = np.empty((n, h, w, c), array.dtype)
    transpose(np.ascontiguousarray(array), result, n, c, h * w)
    return result


def takes_pixels(attribute: TensorAttribute) -> bool:
    """Check if the NPU itself normalises and quantises uint8 input."""
    return attribute.type == "int8" and attribute.format == "NHWC" and attribute.shape[-1] <= IMAGE_CHANNELS


def _declare(target: Input, array: Array) -> Source:
    attribute = target.attribute
    if array.dtype == np.int8 and not target.is_image and attribute.type == "int8":
        # The runtime converts int8 for 4-D inputs only; elsewhere quantised data goes through as it is.
        return Source(array, TYPES.index("int8"), FORMATS.index("UNDEFINED"), True)
    return Source(array, _TYPES[array.dtype], FORMATS.index(attribute.format), False)
