"""Whatever observes the tasks of a session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Protocol

if TYPE_CHECKING:
    from .._runtime.task import Result


class TaskObserver(Protocol):
    """Is told of every task that ends."""

    def task_ended(self, result: Result) -> None:
        """A task has ended like this; on any thread."""

    def observing(self, receive: Callable[[Any, Result], None]) -> Callable[[Any, Result], None]:
        """The same receiver of a task's results, telling of the task too."""
