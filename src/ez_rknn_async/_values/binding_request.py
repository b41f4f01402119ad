# SPDX-License-Identifier: Apache-2.0
"""One inference on bound values: its task for the engine, and what is kept until it has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from .._host import greenlets
from .usage import Claim

# Result.worker of a task that no worker took up.
NO_WORKER = 2**32 - 1

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from .._contexts.pool import Contexts
    from .._runtime.kernels import Conversion
    from .._runtime.task import EngineTask, Result, Transfer
    from .._tensors.value_layout import Form
    from .npu_memory import DeviceMemory
    from .usage import Mark, Use

    Array = npt.NDArray[Any]


class BoundTensor(NamedTuple):
    """One input or output of an inference: the value bound to it, and the memory that it goes through."""

    memory: DeviceMemory
    form: Form  # the form that the memory is bound in
    mark: Mark  # the value's
    conversion: Conversion | None = None  # between array and memory, done by the worker; None: the value is the memory
    array: Array | None = None
    is_copy: bool = False  # the array is a copy of the user's, cast or in another order

    def transfer(self, contexts: Contexts) -> Transfer:
        """Return its transfer on these contexts.

        Raises:
            RknnDeviceError: one of them cannot import the memory.
        """
        return self.memory.bound(contexts, self.form.tensor.bound).transfer(self.conversion)


class BindingPlan(NamedTuple):
    """All that a binding's inferences have in common."""

    inputs: Sequence[BoundTensor]
    outputs: Sequence[BoundTensor]
    shapes: Any  # rknn_tensor_attr[] of a dynamic model; otherwise None
    uses: Sequence[tuple[Mark, Use]]  # the use of each value
    lane: int  # which of a worker's contexts runs them
    transfers: tuple[list[Transfer], list[Transfer]]  # of the inputs and of the outputs, on the contexts of that lane

    @property
    def has_copies(self) -> bool:
        """True if it serves one inference only, since the user's arrays may change before the next."""
        return any(bound.is_copy for bound in self.inputs)


class BindingRequest:
    """A request for the executor. The values are marked as in use from its creation until :meth:`ended`.

    Attributes:
        arrays: empty; the values have the outputs.
        quantisations: the worker's conversions of the inputs.
    """

    needs_result = True

    def __init__(self, plan: BindingPlan, last_bound: LastBound) -> None:
        """Mark the values as in use.

        Raises:
            RknnInUseError: one is in use already.
        """
        self._plan = plan
        self._last_bound = last_bound
        self.arrays: list[Array] = []
        self.quantisations = [bound.conversion for bound in plan.inputs if bound.conversion is not None]
        self._claim = Claim(plan.uses)

    def fill(self, task: EngineTask) -> None:
        """Write this request into the structures of a task."""
        plan, (inputs, outputs) = self._plan, self._plan.transfers
        task.set_direct(inputs, [b.array for b in plan.inputs], outputs, [b.array for b in plan.outputs])
        task.set_contexts(plan.lane, plan.shapes)

    def ended(self, result: Result | None) -> None:
        """Free the values: neither the engine nor the runtime uses them any more. May be called twice.

        ``result`` is None when nothing has run.
        """
        if result is not None:
            bound = (*self._plan.inputs, *self._plan.outputs)
            self._last_bound.ran(result, tuple(tensor.memory for tensor in bound))
        self._claim.end()


class LastBound:
    """The memory that each context was last bound to.

    A context stays bound to memory until it is bound to something else, and no runtime can be told to let go. So the
    memory is kept until the next binding runs there or the session is closed, even if nothing else refers to it.
    """

    def __init__(self) -> None:
        self._lock = greenlets.lock()  # guards _kept
        self._kept: dict[tuple[int, int], tuple[int, tuple[DeviceMemory, ...]]] = {}  # by worker and lane

    def ran(self, result: Result, memories: tuple[DeviceMemory, ...]) -> None:
        """Note that a task has ended that bound this memory."""
        if result.worker == NO_WORKER:
            return
        context = (result.worker, result.lane)
        with self._lock:
            began, former = self._kept.get(context, (0, ()))
            if result.started_ns < began:
                return  # results may arrive in another order than the tasks ran in
            if result.code < 0:
                memories += former  # it may have failed before everything was bound
            self._kept[context] = (result.started_ns, tuple(dict.fromkeys(memories)))
        # Here, outside the lock, `former` is dropped, which may free the memory.

    def forget(self) -> None:
        """Drop all memory, as the contexts are gone."""
        with self._lock:
            self._kept, kept = {}, self._kept
        kept.clear()
