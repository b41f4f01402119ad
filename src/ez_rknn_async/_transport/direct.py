# SPDX-License-Identifier: Apache-2.0
"""Direct I/O: tensors go straight between the user's arrays and memory that the NPU reads and writes.

Each worker's context has memory for every input and every output, allocated and bound once. A worker thread converts
the user's array into it with our own kernels, runs, and converts the outputs into the user's arrays: no
``rknn_inputs_set``, no ``rknn_outputs_get``, no array in between, no allocation.

Nothing is bound again from one run to the next, except for other shapes of a dynamic model. The runtime must be told
where the NPU converts uint8 pixels itself, and cannot be told otherwise later: pixels and floats have a lane each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .._contexts.worker_memory import WorkerMemory
from .._host import greenlets
from .._runtime.memory import FLAGS, Memory
from .._tensors.node_arg import quantization
from .._tensors.npu_layout import input_conversion, output_conversion, raw_image
from .._tensors.outputs import output_dtypes
from .staging import StagingPool

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    import numpy.typing as npt

    from .._contexts.lanes import Lanes
    from .._runtime.context import Context
    from .._runtime.kernels import Conversion
    from .._runtime.task import EngineTask, Result, Transfer
    from .._tensors.inputs import Given
    from .._tensors.npu_layout import NativeTensor
    from .._tensors.outputs import Receiver
    from ..model import Preprocessing
    from .native_set import NativeSet
    from .staging import Free

    Array = npt.NDArray[Any]

# The types in which casting.py leaves the numbers for a float or quantised input, besides its own type.
_NUMBERS = ("float32", "float16", "uint8")
# The ways of giving a context a tensor that are used here; see value_layout.py for the third.
PIXELS, NATIVE = "pixels", "native"
ORDERS = ("NCHW", "NHWC")
# Programs use a few kinds of arrays. One that crops images out of frames of all sizes would add ever more.
_MOST_TRANSFERS = 1000


@dataclass(frozen=True)
class Transfers:
    """The transfers of arrays of the same kinds into the memory of one lane, and out of it.

    Attributes:
        lane: the lane that the inferences run on; see :mod:`.lanes`.
        shapes: for ``rknn_set_input_shapes``.
        inputs, outputs: the transfers, in the model's order.
        quantisations: the conversions of inputs that can meet a NaN.
    """

    lane: int
    shapes: Any
    inputs: tuple[Transfer, ...]
    outputs: tuple[Transfer, ...]
    quantisations: tuple[Conversion, ...]


class DirectRequest:
    """A request whose arrays a worker converts into the memory of its context, and out of it.

    Attributes:
        arrays: the outputs' arrays, C-contiguous.
        quantisations: the conversions of inputs that can meet a NaN.
        transfers: the transfers of its arrays.
    """

    __slots__ = ("_copies", "_sources", "arrays", "quantisations", "transfers")
    needs_result = False

    def __init__(
        self, transfers: Transfers, sources: list[Array], arrays: list[Array], copies: list[tuple[Array, Free]]
    ) -> None:
        """Send the ``sources``, which are C-contiguous; the ``copies`` go back to their pool afterwards."""
        self.transfers = transfers
        self._sources = sources
        self._copies = copies
        self.arrays = arrays
        self.quantisations = transfers.quantisations

    def fill(self, task: EngineTask) -> None:
        """Write this request into the structures of a task."""
        transfers = self.transfers
        task.set_direct(transfers.inputs, self._sources, transfers.outputs, self.arrays)
        task.set_contexts(transfers.lane, transfers.shapes)

    def ended(self, result: Result | None) -> None:
        """Give private copies back to their pool."""
        copies = self._copies
        while copies:
            try:
                copy, free = copies.pop()  # at once: two threads may tell the end
            except IndexError:
                return
            free.append(copy)


class LaneMemory:
    """The memory of all inputs and outputs in the contexts of one lane. It is freed with them."""

    def __init__(self, sets: Sequence[NativeSet], contexts: Sequence[Context], flags: int) -> None:
        """Allocate the memory, large enough for each set of shapes.

        Raises:
            RknnDeviceError: there is not enough.
        """
        self.inputs = [_allocate(natives, contexts, flags) for natives in zip(*(s.inputs for s in sets))]
        self.outputs = [_allocate(natives, contexts, flags) for natives in zip(*(s.outputs for s in sets))]

    def replace(self, worker: int, context: Context) -> None:
        """Allocate the memory in a fresh context of a worker.

        Raises:
            RknnError: there is none.
        """
        for memory in (*self.inputs, *self.outputs):
            memory.reach(worker, context)

    def bind(self, tensors: NativeSet) -> None:
        """Bind everything once, in every way, to check that the runtime accepts it.

        Raises:
            RknnError: it does not.
        """
        for memories, natives in ((self.inputs, tensors.inputs), (self.outputs, tensors.outputs)):
            for (memory,), native in zip(memories, natives):
                for way in _ways(native):
                    memory.bind(way.bound)


class Direct:
    """The transport of a session with direct I/O; see :class:`.protocol.Transport`.

    Attributes:
        sets: the bindings of the tensors, for each set of shapes.
        normalisations: the model file's normalisation of each input.
        memory: that of each lane in use.
        staging: makes private copies of inputs.
    """

    def __init__(
        self,
        sets: Sequence[NativeSet],
        descriptions: Sequence[Any],
        normalisations: Sequence[Preprocessing | None],
        lanes: Lanes,
        flags: int,
    ) -> None:
        """Allocate the memory of lane 0.

        Args:
            sets: the bindings of the tensors, for each set of shapes.
            descriptions: each set of shapes for ``rknn_set_input_shapes``.
            normalisations: the model file's normalisation of each input.
            lanes: the contexts. The memory belongs to them and is freed with them.
            flags: of the memory; one of :data:`~._runtime.memory.FLAGS`.

        Raises:
            RknnDeviceError: there is not enough memory.
        """
        self.sets, self._lanes, self._flags = tuple(sets), lanes, flags
        self._descriptions = tuple(descriptions)
        self.normalisations = tuple(normalisations)
        self._outputs_way = (NATIVE,) * len(sets[0].outputs)
        self._takes_pixels = [raw_image(tensor) is not None for tensor in sets[0].inputs]
        self._quantises = [quantization(tensor.attribute) is not None for tensor in sets[0].inputs]
        self._lock = greenlets.lock()  # guards the allocation of memory
        self.memory = {0: self._allocate(0)}
        # Filled when first needed. Two threads may both make the same: each request owns those that its task uses.
        self._transfers: dict[Hashable, Transfers] = {}
        self.staging = StagingPool()

    def request(
        self, given: Sequence[Given], chosen: int, receivers: Sequence[Receiver], *, private: bool
    ) -> DirectRequest:
        """Find the transfers for these arrays; see :meth:`.Transport.request`."""
        # The common case makes no call but that of the request: every inference passes through here.
        sources, arrays, copies = [], [], []
        kinds: list[Hashable] = [chosen]
        for value in given:
            array, order, row = value.array, value.order, 0
            if private and not value.is_new:
                array, free = self.staging.copy(array)
                if free is not None:
                    copies.append((array, free))
            if not array.flags.c_contiguous:
                array, order, row = readable(array, order)
            sources.append(array)
            kinds += (array.dtype, order, row)
        for receiver in receivers:
            arrays.append(receiver.array)
            kinds += (receiver.array.dtype, receiver.order)
        key = tuple(kinds)
        transfers = self._transfers.get(key)
        if transfers is None:
            if len(self._transfers) >= _MOST_TRANSFERS:
                self._transfers.clear()
            transfers = self._transfers.setdefault(key, self._transfers_of(chosen, iter(key[1:])))
        return DirectRequest(transfers, sources, arrays, copies)

    def replace(self, worker: int, lane: int, context: Context) -> None:
        """Allocate memory in the new context of a worker that was set aside; a lane that only values use has none.

        Raises:
            RknnError: there is none.
        """
        # With the lock: memory that is being allocated in the former context is replaced as well.
        with self._lock:
            memory = self.memory.get(lane)
            if memory is not None:
                memory.replace(worker, context)

    def _transfers_of(self, chosen: int, kinds: Iterator[Any]) -> Transfers:
        """Make the transfers for arrays of these kinds: dtype, order, row of inputs; dtype, order of outputs."""
        tensors = self.sets[chosen]
        input_kinds = [(next(kinds), next(kinds), next(kinds)) for _ in tensors.inputs]
        output_kinds = [(next(kinds), next(kinds)) for _ in tensors.outputs]
        is_pixels = [takes and kind[0] == np.uint8 for takes, kind in zip(self._takes_pixels, input_kinds)]
        lane, memory = self._lane(tuple(PIXELS if pixels else NATIVE for pixels in is_pixels))
        inputs = []
        for index, (dtype, order, row) in enumerate(input_kinds):
            native = _ways(tensors.inputs[index])[is_pixels[index]]
            conversion = input_conversion(native, dtype, order, self.normalisations[index], row)
            inputs.append(memory.inputs[index].bound(native.bound).transfer(conversion))
        outputs = [
            memory.outputs[index].bound(native.bound).transfer(output_conversion(native, dtype, order))
            for index, (native, (dtype, order)) in enumerate(zip(tensors.outputs, output_kinds))
        ]
        quantisations = [
            transfer.conversion
            for transfer, quantises in zip(inputs, self._quantises)
            if quantises and transfer.conversion is not None
        ]
        return Transfers(lane, self._descriptions[chosen], tuple(inputs), tuple(outputs), tuple(quantisations))

    def _lane(self, inputs_way: tuple[str, ...]) -> tuple[int, LaneMemory]:
        """Return the lane for inputs that are bound in these ways, and its memory."""
        lane = self._lanes.number((inputs_way, self._outputs_way))
        if lane not in self.memory:
            with self._lock:
                if lane not in self.memory:
                    self.memory[lane] = self._allocate(lane)
        return lane, self.memory[lane]

    def _allocate(self, lane: int) -> LaneMemory:
        return LaneMemory(self.sets, list(self._lanes[lane]), self._flags)


def _allocate(natives: Sequence[NativeTensor], contexts: Sequence[Context], flags: int) -> WorkerMemory:
    """Allocate memory in every context for one tensor, large enough for each of its shapes."""
    size = max(native.size for native in natives)
    memory = WorkerMemory(
        len(contexts),
        lambda context: Memory.allocate(context, size, flags),
        # Memory without a cache needs no synchronisation.
        needs_sync=flags != FLAGS["non_cacheable"],
    )
    for worker, context in enumerate(contexts):
        memory.reach(worker, context)
    return memory


def _ways(native: NativeTensor) -> tuple[NativeTensor, ...]:
    """Return a tensor as it is and, if the NPU can convert pixels for it, as bound for those."""
    pixels = raw_image(native)
    return (native,) if pixels is None else (native, pixels)


def check_conversions(tensors: NativeSet, normalisations: Sequence[Preprocessing | None]) -> None:
    """Check that there is a kernel for whatever may be sent and received.

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
    """Return a C-contiguous array of the same elements, its order, and pixels from one row to the next (0: dense).

    Copies only what no kernel can read. A frame turned by ``transpose()`` lies in the other order; and a part that was
    cropped from a larger frame has rows that are further apart: for it, the array returned is the piece of memory from
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
    """Return the distance between the rows of one image whose rows are dense; 0 for any other array."""
    n, _, w, c = nhwc.shape
    _, row, pixel, element = nhwc.strides
    dense = n == 1 and element == nhwc.itemsize and pixel == c * element and row >= w * pixel
    return row // pixel if dense and row % pixel == 0 else 0


def _piece(nhwc: Array, row: int) -> Array:
    _, h, w, c = nhwc.shape
    length = ((h - 1) * row + w) * c
    return np.lib.stride_tricks.as_strided(nhwc, (length,), (nhwc.itemsize,), writeable=False)
