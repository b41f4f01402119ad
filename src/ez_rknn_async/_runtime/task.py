# SPDX-License-Identifier: Apache-2.0
"""A task of the engine: its C structures and its result."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, NamedTuple

from .abi import ffi

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .kernels import Conversion

# The runtime function during which a task failed, by EZR_CALL_*.
CALLS = (
    "",
    "rknn_set_input_shapes",
    "rknn_inputs_set",
    "rknn_run",
    "rknn_outputs_get",
    "rknn_set_io_mem",
    "rknn_mem_sync",
)

_NULL, _from_buffer = ffi.NULL, ffi.from_buffer


class Result(NamedTuple):
    """The result of a task. Times are nanoseconds of ``CLOCK_MONOTONIC``."""

    id: int
    tag: int
    code: int
    call: str
    worker: int
    lane: int
    submitted_ns: int
    started_ns: int
    input_ns: int
    npu_ns: int
    finished_ns: int
    message: str  # why it failed, in the runtime's own words; "" when it has none


class Transfer:
    """The transfer of one tensor into bound memory, or out of it: an ``ezr_io`` without its array.

    It owns what it points to; the request that uses it keeps it until the task has ended.

    Attributes:
        c: the ``ezr_io``.
        conversion: between array and memory; None where the NPU uses the memory as it is.
    """

    __slots__ = ("_memory", "_structure", "c", "conversion")

    def __init__(
        self, attribute: Any, memories: Any, binding: int, conversion: Conversion | None = None, *, sync: bool = True
    ) -> None:
        """Describe the transfer.

        Args:
            attribute: the binding of the memory: ``rknn_tensor_attr *``.
            memories: the memory in each worker's context: ``rknn_tensor_mem *[]``, by worker.
            binding: a number for this memory with this attribute, never 0 and never used again for another: a worker
                binds again only if the number is not that of its last binding.
            conversion: from the array to the memory of an input, from the memory to the array of an output.
            sync: synchronise the CPU's caches with the device.
        """
        self.conversion = conversion
        self._memory = attribute, memories
        kernel = _NULL if conversion is None else conversion.c
        self._structure = ffi.new("ezr_io *", (attribute, memories, binding, kernel, _NULL, sync))
        self.c = self._structure[0]


class EngineTask:
    """The C structures of one task; its request keeps the arrays behind its pointers until it has ended.

    All inputs go by copy or all are direct: the last setter wins. The same holds for the outputs. Filled again for the
    same transfers it only points to other arrays.

    Attributes:
        task: the ``ezr_task``.
        address: of the same, for calls that do not go through cffi.
        result: an ``ezr_result``, for a run.
    """

    __slots__ = (
        "_input_slots",
        "_lane",
        "_output_slots",
        "_shapes",
        "_transfers",
        "address",
        "direct_inputs",
        "direct_outputs",
        "inputs",
        "outputs",
        "result",
        "task",
    )

    def __init__(self, inputs: int, outputs: int) -> None:
        self.inputs = ffi.new("rknn_input[]", inputs)
        self.outputs = ffi.new("rknn_output[]", outputs)
        self.direct_inputs = ffi.new("ezr_io[]", inputs)
        self.direct_outputs = ffi.new("ezr_io[]", outputs)
        self.task = ffi.new("ezr_task *", {"input_count": inputs, "output_count": outputs})
        self.task.inputs, self.task.outputs = self.inputs, self.outputs
        self.address = int(ffi.cast("uintptr_t", self.task))
        self.result = ffi.new("ezr_result *")
        self._input_slots = [self.direct_inputs[index] for index in range(inputs)]
        self._output_slots = [self.direct_outputs[index] for index in range(outputs)]
        self._transfers: tuple[Any, Any] = (None, None)
        self._lane, self._shapes = 0, None

    def set_input(self, index: int, array: Any, type_: int, format_: int, pass_through: bool) -> None:
        """Point input ``index`` to a contiguous array."""
        # A whole structure at a time, its fields in their order, is much faster than one field after the other.
        self.inputs[index] = (index, ffi.from_buffer(array), array.nbytes, pass_through, type_, format_)
        self.task.direct_inputs = _NULL
        self._transfers = (None, None)

    def set_output(self, index: int, array: Any, want_float: bool) -> None:
        """Point output ``index`` to the contiguous array that receives it."""
        self.outputs[index] = (want_float, 1, index, ffi.from_buffer(array), array.nbytes)
        self.task.direct_outputs = _NULL
        self._transfers = (None, None)

    def set_direct(
        self,
        inputs: Sequence[Transfer],
        sources: Sequence[Any],
        outputs: Sequence[Transfer],
        destinations: Sequence[Any],
    ) -> None:
        """Let all tensors go through memory that is bound to the context.

        Args:
            inputs: the transfer of each input into its memory.
            sources: the contiguous array of each input that is converted; otherwise None.
            outputs: the transfer of each output out of its memory.
            destinations: the contiguous array of each output that is converted; otherwise None.
        """
        set_for = self._transfers
        if set_for[0] is not inputs or set_for[1] is not outputs:
            self._set_transfers(inputs, outputs)
        for slot, array in zip(self._input_slots, sources):
            slot.array = _NULL if array is None else _from_buffer(array)
        for slot, array in zip(self._output_slots, destinations):
            slot.array = _NULL if array is None else _from_buffer(array)

    def _set_transfers(self, inputs: Sequence[Transfer], outputs: Sequence[Transfer]) -> None:
        for structures, transfers in ((self.direct_inputs, inputs), (self.direct_outputs, outputs)):
            for index, transfer in enumerate(transfers):
                structures[index] = transfer.c
        self.task.direct_inputs, self.task.direct_outputs = self.direct_inputs, self.direct_outputs
        self._transfers = (inputs, outputs)

    def set_contexts(self, lane: int, shapes: Any) -> None:
        """Choose which of its worker's contexts runs it, and with which shapes.

        Args:
            lane: see :meth:`Engine.add_lane`.
            shapes: of a dynamic model: ``rknn_tensor_attr[]``, one for each input; otherwise None.
        """
        if lane != self._lane or shapes is not self._shapes:
            self.task.lane, self.task.shapes = lane, _NULL if shapes is None else shapes
            self._lane, self._shapes = lane, shapes

    def outcome(self) -> Result:
        """Return the result of the run that has ended."""
        return results_of(self.result, 1)[0]


# The fields of an ezr_result but for its message, as tools for binary data name them; the compiler pads as they do.
_FIELDS = struct.Struct("@qQiiIIIqqqqq")
_SIZE = ffi.sizeof("ezr_result")


def results_of(structures: Any, count: int) -> list[Result]:
    """Return the Python values of the first ``count`` structures of ``ezr_result[]``."""
    fields = ffi.buffer(structures, count * _SIZE)
    return [_result(_FIELDS.unpack_from(fields, index * _SIZE), structures[index]) for index in range(count)]


def _result(fields: tuple[Any, ...], structure: Any) -> Result:
    number, tag, code, call, _, *others = fields
    message = ffi.string(structure.message).decode("utf-8", "replace") if code < 0 else ""
    # Result(...) with one call less: every inference passes through here.
    return tuple.__new__(Result, (number, tag, code, CALLS[call], *others, message))
