"""How tensors travel between the user's arrays and the NPU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from .._runtime.engine import Task
    from .._runtime.kernels import Conversion
    from .._tensors.inputs import Given
    from .._tensors.outputs import Receiver

    Array = npt.NDArray[Any]


class Route(NamedTuple):
    """What the tensors of one inference have in common."""

    chosen: int  # index of its set of shapes
    lane: int  # on which of a worker's contexts it runs; see lanes.py


class Sent(Protocol):
    """An input on its way to the NPU; it owns what a task points to."""

    def put(self, task: Task, index: int) -> None:
        """Make it input ``index`` of a task."""

    @property
    def conversion(self) -> Conversion | None:
        """What a worker does to it; None where that is the runtime's affair."""


class Received(Protocol):
    """An output on its way from the NPU; it owns what a task points to."""

    def put(self, task: Task, index: int) -> None:
        """Make it output ``index`` of a task."""

    def result(self) -> Array:
        """The array with the output, once the task has ended."""


class Transport(Protocol):
    """How tensors travel. There are two: :class:`~.copying.Copying` and :class:`~.direct.Direct`. Thread-safe."""

    def route(self, given: Sequence[Given], chosen: int) -> Route:
        """Where an inference with these inputs runs, with the set of shapes that they have chosen."""

    def send(self, index: int, given: Given, route: Route, *, private: bool) -> Sent:
        """Make a value ready to be input ``index``.

        With ``private`` the result shares no memory with the value, because the caller may change it meanwhile.
        """

    def receive(self, index: int, receiver: Receiver, route: Route) -> Received:
        """Make an array ready to receive output ``index``."""
