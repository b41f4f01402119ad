"""One inference whose inputs and outputs are values: what the engine is told, and what is kept until it has ended."""

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


class Passage(NamedTuple):
    """What goes in or comes out of one inference, and through which memory."""

    memory: DeviceMemory
    form: Form  # as which the memory is bound
    mark: Mark  # of the value
    conversion: Conversion | None = None  # between array and memory, done by the worker; None: the value is the memory
    array: Array | None = None
    is_copy: bool = False  # the array was made of the user's, cast or laid out anew

    def transfer(self, contexts: Contexts) -> Transfer:
        """How it goes on these contexts.

        Raises:
            RknnDeviceError: one of them cannot import the memory.
        """
        return self.memory.bound(contexts, self.form.tensor.bound).transfer(self.conversion)


class BindingPlan(NamedTuple):
    """All that a binding's inferences have in common."""

    inputs: Sequence[Passage]
    outputs: Sequence[Passage]
    shapes: Any  # rknn_tensor_attr[] of a dynamic model; otherwise None
    uses: Sequence[tuple[Mark, Use]]  # what becomes of each value
    lane: int  # on which of a worker's contexts they run
    transfers: tuple[list[Transfer], list[Transfer]]  # of the inputs and of the outputs, on the contexts of that lane

    @property
    def has_copies(self) -> bool:
        """Whether it serves one inference only, since the user's arrays may have changed before the next."""
        return any(passage.is_copy for passage in self.inputs)


class BindingRequest:
    """What the executor runs. The values are marked as in use from its creation until :meth:`ended`.

    Attributes:
        arrays: none; the values have the outputs.
        quantisations: what the worker does to the inputs.
    """

    def __init__(self, plan: BindingPlan, last_bound: LastBound) -> None:
        """Mark the values.

        Raises:
            RknnInUseError: one is in use already.
        """
        self._plan = plan
        self._last_bound = last_bound
        self.arrays: list[Array] = []
        self.quantisations = [passage.conversion for passage in plan.inputs if passage.conversion is not None]
        self._claim = Claim(plan.uses)

    def fill(self, task: EngineTask) -> None:
        """Write this request into the structures of a task."""
        plan, (inputs, outputs) = self._plan, self._plan.transfers
        task.set_direct(inputs, [p.array for p in plan.inputs], outputs, [p.array for p in plan.outputs])
        task.set_contexts(plan.lane, plan.shapes)

    def ended(self, result: Result | None) -> None:
        """Nothing of the engine or the runtime uses the values any more. May be called twice.

        ``result`` is None when nothing has run.
        """
        if result is not None:
            passages = (*self._plan.inputs, *self._plan.outputs)
            self._last_bound.ran(result, tuple(passage.memory for passage in passages))
        self._claim.end()


class LastBound:
    """The memory that each context has bound last.

    A context stays bound to memory until it is bound to something else, and no runtime can be told to let go. So the
    memory is kept until the next binding runs there, or the session is closed, even if nobody else wants it any more.
    """

    def __init__(self) -> None:
        self._lock = greenlets.lock()  # guards _kept
        self._kept: dict[tuple[int, int], tuple[int, tuple[DeviceMemory, ...]]] = {}  # by worker and lane

    def ran(self, result: Result, memories: tuple[DeviceMemory, ...]) -> None:
        """A task has ended that bound this memory."""
        if result.worker == NO_WORKER:
            return
        context = (result.worker, result.lane)
        with self._lock:
            began, former = self._kept.get(context, (0, ()))
            if result.started_ns < began:
                return  # results may be told in another order than tasks ran
            if result.code < 0:
                memories += former  # it may have failed before everything was bound
            self._kept[context] = (result.started_ns, tuple(dict.fromkeys(memories)))
        # Here, outside the lock, `former` goes, and perhaps the memory with it.

    def forget(self) -> None:
        """The contexts are gone."""
        with self._lock:
            self._kept, kept = {}, self._kept
        kept.clear()
