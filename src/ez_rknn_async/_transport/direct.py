"""Tensors that travel straight between the user's arrays and memory that the NPU reads and writes.

Each worker's context has memory for every input and every output, allocated and bound once. A worker thread converts
the user's array into it with our own kernels, runs, and converts what came out into the user's array: no
``rknn_inputs_set``, no ``rknn_outputs_get``, no array in between, no allocation.

Nothing is bound anew from one run to the next, except for other shapes of a dynamic model. Where the NPU converts uint8
pixels itself the runtime must be told, and cannot be told otherwise later: pixels and floats have a lane each.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .._host import greenlets
from .._tensors.npu_layout import input_conversion, output_conversion, raw_image
from .._tensors.outputs import output_dtypes
from .bound_tensor import BoundTensor, Way
from .protocol import Route

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    import numpy.typing as npt

    from .._contexts.lanes import Lanes
    from .._runtime.context import Context
    from .._runtime.engine import Task
    from .._runtime.kernels import Conversion
    from .._tensors.inputs import Given
    from .._tensors.outputs import Receiver
    from ..model import Preprocessing
    from .native_set import NativeSet

    Array = npt.NDArray[Any]

# What casting.py leaves the numbers for a float or quantised input in, besides its own type.
_NUMBERS = ("float32", "float16", "uint8")
# Of the ways in which a context can be given a tensor those that are used here; see tensor_form.py for the third.
PIXELS, NATIVE = "pixels", "native"
ORDERS = ("NCHW", "NHWC")


class Sent(NamedTuple):
    """An input whose array a worker will convert into the memory of its context."""

    array: Array  # C-contiguous
    way: Way

    def put(self, task: Task, index: int) -> None:
        """Make it input ``index`` of a task."""
        way = self.way
        task.set_direct_input(index, way.attribute, way.memories, way.binding, way.conversion.c, self.array, way.sync)

    @property
    def conversion(self) -> Conversion:
        """What a worker does to it."""
        return self.way.conversion


class Drawn(NamedTuple):
    """An output that a worker will convert from the memory of its context into an array."""

    array: Array  # C-contiguous
    way: Way

    def put(self, task: Task, index: int) -> None:
        """Make it output ``index`` of a task."""
        way = self.way
        task.set_direct_output(index, way.attribute, way.memories, way.binding, way.conversion.c, self.array, way.sync)

    def result(self) -> Array:
        """The array."""
        return self.array


class LaneMemory:
    """The memory of all inputs and outputs in the contexts of one lane. It is freed with them."""

    def __init__(
        self, sets: Sequence[NativeSet], contexts: Sequence[Context], flags: int, numbers: Iterator[int]
    ) -> None:
        """Allocate it.

        Raises:
            RknnDeviceError: there is not enough.
        """
        self.inputs = [BoundTensor(n, contexts, flags, numbers) for n in zip(*(s.inputs for s in sets))]
        self.outputs = [BoundTensor(n, contexts, flags, numbers) for n in zip(*(s.outputs for s in sets))]

    def replace(self, worker: int, context: Context) -> None:
        """Use memory of a fresh context for a worker.

        Raises:
            RknnError: there is none.
        """
        for tensor in (*self.inputs, *self.outputs):
            tensor.replace(worker, context)

    def bind(self, context: Context) -> None:
        """Bind everything once, in every way and for the first set of shapes, to see whether the runtime accepts it.

        Raises:
            RknnError: it does not.
        """
        for tensor in (*self.inputs, *self.outputs):
            binding = tensor.bindings[0]
            for one in (binding, binding.raw):
                if one is not None:
                    context.bind(tensor.memories[0], one.native.bound)


class Direct:
    """The transport of a session with direct I/O; see :class:`.transport.Transport`.

    Attributes:
        sets: how tensors are bound, for each set of shapes.
        normalisations: what the model's file says about each input.
        memory: of each lane that is in use.
    """

    def __init__(
        self,
        sets: Sequence[NativeSet],
        normalisations: Sequence[Preprocessing | None],
        lanes: Lanes,
        flags: int,
    ) -> None:
        """Allocate the memory of lane 0.

        Args:
            sets: how tensors are bound, for each set of shapes.
            normalisations: what the model's file says about each input.
            lanes: the contexts. The memory belongs to them and is freed with them.
            flags: of the memory; one of :data:`~._runtime.memory.FLAGS`.

        Raises:
            RknnDeviceError: there is not enough memory.
        """
        self.sets, self._lanes, self._flags = tuple(sets), lanes, flags
        self.normalisations = tuple(normalisations)
        self._outputs_way = (NATIVE,) * len(sets[0].outputs)
        self._native = (NATIVE,) * len(sets[0].inputs)
        self._takes_pixels = {index for index, tensor in enumerate(sets[0].inputs) if raw_image(tensor) is not None}
        self._numbers = itertools.count(1)
        self._lock = greenlets.lock()  # guards the making of memory
        self.memory = {0: self._allocate(0)}
        # Made when first needed. Two threads may both make one: each request owns the one that its task points to.
        self._ways: dict[Hashable, Way] = {}

    def route(self, given: Sequence[Given], chosen: int) -> Route:
        """The lane for inputs of these types."""
        way = self._native
        if self._takes_pixels:
            way = tuple(
                PIXELS if index in self._takes_pixels and value.array.dtype == np.uint8 else NATIVE
                for index, value in enumerate(given)
            )
        lane = self._lanes.number((way, self._outputs_way))
        if lane not in self.memory:
            with self._lock:
                if lane not in self.memory:
                    self.memory[lane] = self._allocate(lane)
        return Route(chosen, lane)

    def send(self, index: int, given: Given, route: Route, *, private: bool) -> Sent:
        """Find the way of a value into the memory of input ``index``."""
        array = given.array.copy("K") if private and not given.is_new else given.array
        source, order, row = readable(array, given.order)
        key = (index, route, source.dtype, order, row)
        way = self._ways.get(key)
        return Sent(source, way or self._ways.setdefault(key, self._way_in(*key)))

    def receive(self, index: int, receiver: Receiver, route: Route) -> Drawn:
        """Find the way from the memory of output ``index`` into an array."""
        array = receiver.array
        key = (index, route, array.dtype, receiver.order)
        way = self._ways.get(key)
        return Drawn(array, way or self._ways.setdefault(key, self._way_out(*key)))

    def replace(self, worker: int, lane: int, context: Context) -> None:
        """Give a worker that was set aside memory of its new context; a lane that only values use has none.

        Raises:
            RknnError: there is none.
        """
        # With the lock: memory that is being made for the former context is replaced as well.
        with self._lock:
            memory = self.memory.get(lane)
            if memory is not None:
                memory.replace(worker, context)

    def _allocate(self, lane: int) -> LaneMemory:
        return LaneMemory(self.sets, list(self._lanes[lane]), self._flags, self._numbers)

    def _way_in(self, index: int, route: Route, dtype: np.dtype[Any], order: str, row: int) -> Way:
        tensor = self.memory[route.lane].inputs[index]
        binding = tensor.bindings[route.chosen]
        if dtype == np.uint8 and binding.raw is not None:
            binding = binding.raw
        return tensor.way(binding, input_conversion(binding.native, dtype, order, self.normalisations[index], row))

    def _way_out(self, index: int, route: Route, dtype: np.dtype[Any], order: str) -> Way:
        tensor = self.memory[route.lane].outputs[index]
        binding = tensor.bindings[route.chosen]
        return tensor.way(binding, output_conversion(binding.native, dtype, order))


def check_conversions(tensors: NativeSet, normalisations: Sequence[Preprocessing | None]) -> None:
    """Make sure that there is a kernel for whatever may be sent and received.

    Raises:
        RknnValueError: there is none for a tensor; the message names it.
    """
    for tensor, normalisation in zip(tensors.inputs, normalisations):
        own = np.dtype(tensor.attribute.type)
        for name in (own, *_NUMBERS) if own.kind == "f" or own == np.int8 else (own,):
            input_conversion(tensor, np.dtype(name), "NCHW", normalisation)
    for tensor in tensors.outputs:
        for dtype in output_dtypes(tensor.attribute.type):
            for order in ORDERS if tensor.is_image else ORDERS[:1]:
                output_conversion(tensor, dtype, order)


def readable(array: Array, order: str) -> tuple[Array, str, int]:
    """A C-contiguous array with the same elements, their order, and pixels from one row to the next (0: dense).

    Copies only what no kernel can read. A frame turned by ``transpose()`` lies in the other order; and a part that was
    cut out of a larger frame has rows that are further apart: for it, the array returned is the piece of memory from
    its first to its last element.
    """
    if array.flags.c_contiguous:
        return array, order, 0
    if array.ndim == 4:
        nhwc = array.transpose(0, 2, 3, 1) if order == "NCHW" else array
        if nhwc.flags.c_contiguous:
            return nhwc, "NHWC", 0
        nchw = nhwc.transpose(0, 3, 1, 2)
        if nchw.flags.c_contiguous:
            return nchw, "NCHW", 0
        row = _pixels_between_rows(nhwc)
        if row:
            return _piece(nhwc, row), "NHWC", row
    return np.ascontiguousarray(array), order, 0


def _pixels_between_rows(nhwc: Array) -> int:
    """Of one image whose rows are dense; 0 for any other array."""
    n, _, w, c = nhwc.shape
    _, row, pixel, element = nhwc.strides
    dense = n == 1 and element == nhwc.itemsize and pixel == c * element and row >= w * pixel
    return row // pixel if dense and row % pixel == 0 else 0


def _piece(nhwc: Array, row: int) -> Array:
    _, h, w, c = nhwc.shape
    length = ((h - 1) * row + w) * c
    return np.lib.stride_tricks.as_strided(nhwc, (length,), (nhwc.itemsize,), writeable=False)
