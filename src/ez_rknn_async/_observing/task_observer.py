# SPDX-License-Identifier: Apache-2.0
"""The interface of an observer of a session's tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Protocol

if TYPE_CHECKING:
    from .._runtime.task import Result


class TaskObserver(Protocol):
    """An observer, called for every task that ends."""

    def task_ended(self, result: Result) -> None:
        """Note the result of a task; called on any thread."""

    def observing(self, receive: Callable[[Any, Result], None]) -> Callable[[Any, Result], None]:
        """Return the same receiver of a task's results, which notes the task too."""
