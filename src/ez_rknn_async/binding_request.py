"""One inference whose inputs and outputs are values: what the engine is told, and what is kept until it has ended."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from .in_use import Claim

# Result.worker of a task that no worker took up.
NO_WORKER = 2**32 - 1

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from .contexts import Contexts
    from .device_memory import DeviceMemory
    from .in_use import Mark, Use
    from .runtime.engine import Result, Task
    from .runtime.kernels import Conversion
    from .tensor_form import Form

    Array = npt.NDArray[Any]


class Way(NamedTuple):
    """How one input or output goes through memory that is bound to the context that runs."""

    memory: DeviceMemory
    attribute: Any  # rknn_tensor_attr *
    memories: Any  # rknn_tensor_mem *[], by worker
    number: int
    conversion: Conversion | None = None  # between array and memory, done by the worker; None: the value is the memory
    array: Array | None = None

    @classmethod
    def through(
        cls,
        memory: DeviceMemory,
        form: Form,
        contexts: Contexts,
        conversion: Conversion | None = None,
        array: Array | None = None,
    ) -> Way:
        """Through this memory, bound as this form says.

        Raises:
            RknnDeviceError: a context of the session cannot take the memory in.
        """
        bound = memory.bound(contexts, form.tensor.bound)
        return cls(memory, bound.attribute, bound.memories, bound.number, conversion, array)

    @property
    def arguments(self) -> tuple[Any, ...]:
        """Of ``Task.set_direct_input`` and ``Task.set_direct_output``, but for the index."""
        conversion = None if self.conversion is None else self.conversion.c
        return (self.attribute, self.memories, self.number, conversion, self.array, self.memory.needs_sync)


class BindingRequest:
    """What the executor runs. The values are marked as in use from its creation until :meth:`ended`.

    Attributes:
        arrays: none; the values have the outputs.
    """

    def __init__(
        self,
        inputs: Sequence[Way],
        outputs: Sequence[Way],
        shapes: Any,
        uses: Sequence[tuple[Mark, Use]],
        last_bound: LastBound,
    ) -> None:
        """Mark the values.

        Args:
            inputs, outputs: the way of each, in the model's order.
            shapes: ``rknn_tensor_attr[]`` of a dynamic model; otherwise None.
            uses: what becomes of each value.
            last_bound: of the session.

        Raises:
            RknnInUseError: one is in use already.
        """
        self._inputs, self._outputs, self._shapes = inputs, outputs, shapes
        self._last_bound = last_bound
        self._memories = tuple(way.memory for way in (*inputs, *outputs))
        self.arrays: list[Array] = []
        self._claim = Claim(uses)

    def fill(self, task: Task) -> None:
        """Write this request into the structures of a task."""
        for index, way in enumerate(self._inputs):
            task.set_direct_input(index, *way.arguments)
        for index, way in enumerate(self._outputs):
            task.set_direct_output(index, *way.arguments)
        task.set_shapes(self._shapes)

    def ended(self, result: Result | None) -> None:
        """Nothing of the engine or the runtime uses the values any more. May be called twice.

        ``result`` is None when nothing has run.
        """
        if result is not None:
            self._last_bound.ran(result, self._memories)
        self._claim.end()


class LastBound:
    """The memory that each context has bound last.

    A context stays bound to memory until it is bound to something else, and no runtime can be told to let go. So the
    memory is kept until the next binding runs there, or the session is closed, even if nobody else wants it any more.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards _kept
        self._kept: dict[int, tuple[int, tuple[DeviceMemory, ...]]] = {}

    def ran(self, result: Result, memories: tuple[DeviceMemory, ...]) -> None:
        """A task has ended that bound this memory."""
        if result.worker == NO_WORKER:
            return
        with self._lock:
            began, former = self._kept.get(result.worker, (0, ()))
            if result.started_ns < began:
                return  # results may be told in another order than tasks ran
            if result.code < 0:
                memories += former  # it may have failed before everything was bound
            self._kept[result.worker] = (result.started_ns, tuple(dict.fromkeys(memories)))
        # Here, outside the lock, `former` goes, and perhaps the memory with it.

    def forget(self) -> None:
        """The contexts are gone."""
        with self._lock:
            self._kept, kept = {}, self._kept
        kept.clear()
