"""Tensors that travel straight between the user's arrays and memory that the NPU reads and writes.

Each worker's context has memory for every input and every output, allocated and bound once. A worker thread converts
the user's array into it with our own kernels, runs, and converts what came out into the user's array: no
``rknn_inputs_set``, no ``rknn_outputs_get``, no array in between, no allocation.

Nothing is bound anew from one run to the next, unless what the runtime is told about the memory changes: uint8 pixels
instead of floats, or other shapes of a dynamic model.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .bound_tensor import BoundTensor, Way
from .native_tensor import input_conversion, output_conversion
from .outputs import output_dtypes
from .runtime.memory import FLAGS

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    import numpy.typing as npt

    from .inputs import Given
    from .model import Preprocessing
    from .native_set import NativeSet
    from .outputs import Receiver
    from .runtime.context import Context
    from .runtime.engine import Task

    Array = npt.NDArray[Any]

# What casting.py leaves the numbers for a float or quantised input in, besides its own type.
_NUMBERS = ("float32", "float16", "uint8")


class Sent(NamedTuple):
    """An input whose array a worker will convert into the memory of its context."""

    array: Array  # C-contiguous
    way: Way

    def put(self, task: Task, index: int) -> None:
        """Make it input ``index`` of a task."""
        way = self.way
        task.set_direct_input(index, way.attribute, way.memories, way.binding, way.conversion.c, self.array, way.sync)


class Direct:
    """The transport of a session with direct I/O; see :class:`.interface.Transport`.

    Attributes:
        sets: how tensors are bound, for each set of shapes.
        inputs, outputs: the tensors and their memory.
        normalisations: what the model's file says about each input.
    """

    def __init__(
        self,
        sets: Sequence[NativeSet],
        normalisations: Sequence[Preprocessing | None],
        contexts: Sequence[Context],
        flags: int = FLAGS["default"],
    ) -> None:
        """Allocate the memory.

        Args:
            sets: how tensors are bound, for each set of shapes.
            normalisations: what the model's file says about each input.
            contexts: of the workers, in their order. The memory belongs to them and is freed with them.
            flags: of the memory; one of :data:`~.runtime.memory.FLAGS`.

        Raises:
            RknnValueError: there is no such memory in this runtime.
            RknnDeviceError: there is not enough memory.
        """
        numbers = itertools.count(1)
        self.sets = tuple(sets)
        self.normalisations = tuple(normalisations)
        self.inputs = [BoundTensor(n, contexts, flags, numbers) for n in zip(*(s.inputs for s in sets))]
        self.outputs = [BoundTensor(n, contexts, flags, numbers) for n in zip(*(s.outputs for s in sets))]
        self._ways: dict[Hashable, Way] = {}

    def send(self, index: int, given: Given, chosen: int, *, private: bool) -> Sent:
        """Find the way of a value into the memory of input ``index``."""
        array = given.array.copy("K") if private and not given.is_new else given.array
        source, order, row = readable(array, given.order)
        key = (index, chosen, source.dtype, order, row)
        way = self._ways.get(key)
        if way is None:
            way = self._ways[key] = self._way_in(*key)
        return Sent(source, way)

    def receive(self, task: Task, index: int, receiver: Receiver, chosen: int) -> None:
        """Find the way from the memory of output ``index`` into an array."""
        array = receiver.array
        key = (index, chosen, array.dtype)
        way = self._ways.get(key)
        if way is None:
            way = self._ways[key] = self._way_out(*key)
        task.set_direct_output(index, way.attribute, way.memories, way.binding, way.conversion.c, array, way.sync)

    def replace(self, worker: int, context: Context) -> None:
        """Give a worker that was set aside memory of its new context.

        Raises:
            RknnError: there is none.
        """
        for tensor in (*self.inputs, *self.outputs):
            tensor.replace(worker, context)

    def bind(self, context: Context) -> None:
        """Bind everything once, for the first set of shapes, to see whether the runtime accepts it.

        Raises:
            RknnError: it does not.
        """
        for tensor in (*self.inputs, *self.outputs):
            context.bind(tensor.memories[0], tensor.bindings[0].native.bound)

    def _way_in(self, index: int, chosen: int, dtype: np.dtype[Any], order: str, row: int) -> Way:
        tensor = self.inputs[index]
        binding = tensor.bindings[chosen]
        if dtype == np.uint8 and binding.raw is not None:
            binding = binding.raw
        return tensor.way(binding, input_conversion(binding.native, dtype, order, self.normalisations[index], row))

    def _way_out(self, index: int, chosen: int, dtype: np.dtype[Any]) -> Way:
        tensor = self.outputs[index]
        binding = tensor.bindings[chosen]
        return tensor.way(binding, output_conversion(binding.native, dtype))


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
            output_conversion(tensor, dtype)


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
