# SPDX-License-Identifier: Apache-2.0
"""``run_async``: callbacks, their exceptions, and their calls of the session that calls them."""

from __future__ import annotations

from typing import Any

from ez_rknn_async import RknnError

from ..actor import Actor, spoil
from ..ledger import Ledger, Task
from ..order import Submission
from ..samples import Array
from ..sessions import Handle


class CallbackError(Exception):
    """Raised by callbacks, to be reported and to hinder no one."""


class Receiver:
    """A callback that is called once, in order, on the session's own thread.

    It does not keep the session alive, unless ``nested``: then it runs that task in the session that calls it.
    """

    def __init__(
        self, task: Task, ledger: Ledger, submission: Submission | None, *, raises: bool = False, nested: Any = None
    ) -> None:
        self.task, self.ledger, self.submission = task, ledger, submission
        self.raises = raises
        self.nested: tuple[Handle, Task] | None = nested

    def __call__(self, outputs: list[Array] | None, user_data: Any, error: str) -> None:
        if user_data is not self.task:
            self.ledger.violate(f"{self.task} got the user data of {user_data}")
        if self.submission is not None and not self.submission.order.came(self.submission):
            self.ledger.violate(f"the callback of {self.task} comes after one of a later call")
        if outputs is None:
            self.task.failed_with(error)
        else:
            self.task.right(outputs)
        self._run_nested()
        if self.raises:
            raise CallbackError("on purpose")

    def _run_nested(self) -> None:
        nested, self.nested = self.nested, None
        if nested is not None:
            handle, task = nested
            with task.ending():
                task.right(handle.session.run(None, task.feed()))


def run_async(actor: Actor) -> None:
    """Make a few calls one after the other; their inputs are overwritten as soon as they return."""
    handle = actor.handle()
    for _ in range(actor.draw.randint(1, 6)):
        task, raises, nests = actor.task(handle), actor.chance(0.05), actor.chance(0.1)
        nested = (handle, actor.task(handle, "run in a callback")) if nests else None
        submission = handle.order.submission() if handle.ordered else None
        receiver = Receiver(task, actor.ledger, submission, raises=raises, nested=nested)
        feed = task.feed()
        try:
            handle.session.run_async(None, feed, receiver, task)
        except RknnError as error:
            task.failed(error)
            if nested is not None:
                nested[1].dropped()
        if submission is not None:
            submission.has_returned()
        spoil(feed)
