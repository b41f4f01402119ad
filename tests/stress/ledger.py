# SPDX-License-Identifier: Apache-2.0
"""Every accepted task, and its end: exactly once, right or with an error that has a reason."""

from __future__ import annotations

import collections
import contextlib
import threading
import time
import traceback
from asyncio import CancelledError as TaskCancelledError
from collections.abc import Iterator
from concurrent.futures import CancelledError as FutureCancelledError

from ez_rknn_async import RknnClosedError, RknnError

from .fate import Fate
from .samples import Array, Feed, Sample, Samples

MOST_VIOLATIONS = 20  # are kept and printed; the others are counted


class Ledger:
    """Counts tasks and their ends; collects violations.

    Attributes:
        ended: the number of tasks with each end, by kind of operation.
        violations: the broken rules.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards everything here
        self._changed = threading.Condition(self._lock)
        self._open: dict[int, Task] = {}
        self.ended: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
        self.violations: list[str] = []
        self.violation_count = 0

    def begin(self, operation: str, fate: Fate, samples: Samples, kind: str, shared: Sample | None = None) -> Task:
        """Begin a task with a sample of its own, unless it is told to share one."""
        task = Task(self, operation, fate, samples, shared or samples.take(kind))
        task.is_shared = shared is not None
        with self._lock:
            self._open[id(task)] = task
        return task

    def finish(self, task: Task, outcome: str) -> None:
        """End the task; called once."""
        with self._lock:
            self.ended[task.operation][outcome] += 1
            del self._open[id(task)]
            if not self._open:
                self._changed.notify_all()
        if not task.is_shared:
            task.samples.give_back(task.sample)

    def count(self, operation: str, outcome: str) -> None:
        """Count an operation that is not a task."""
        with self._lock:
            self.ended[operation][outcome] += 1

    def violate(self, text: str) -> None:
        """Record a broken rule."""
        with self._lock:
            self.violation_count += 1
            if len(self.violations) < MOST_VIOLATIONS:
                self.violations.append(text)

    def wait_until_all_ended(self, seconds: float) -> bool:
        """Return True if every task ends within that time; those that do not are violations."""
        with self._lock:
            in_time = self._changed.wait_for(lambda: not self._open, seconds)
            left = list(self._open.values())
        for task in left:
            self.violate(f"{task} has not ended")
        return in_time


class Task:
    """One inference: its input, and its end as far as it is known."""

    def __init__(self, ledger: Ledger, operation: str, fate: Fate, samples: Samples, sample: Sample) -> None:
        self._ledger = ledger
        self.operation, self.fate, self.samples, self.sample = operation, fate, samples, sample
        self._began = time.monotonic()
        self._lock = threading.Lock()  # guards _outcome
        self._outcome: str | None = None
        self.may_be_cancelled = False
        self.is_shared = False

    def __str__(self) -> str:
        age = time.monotonic() - self._began
        return f"{self.operation} of {self.samples.model} ({self.sample.kind} {self.sample.number}, {age:.1f} s ago)"

    def feed(self) -> Feed:
        """Return the input, in arrays that belong to the caller."""
        return {name: array.copy() for name, array in self.sample.feed.items()}

    def right(self, outputs: list[Array]) -> None:
        """End with these outputs."""
        difference = self.sample.differs(outputs)
        if difference:
            other = self.samples.identify(outputs)
            whose = f"; these are the outputs of {other.kind} {other.number}" if other else ""
            self._ledger.violate(f"{self} is wrong: {difference}{whose}")
        self._end("wrong" if difference else "right")

    def failed(self, error: BaseException) -> None:
        """End with an exception."""
        if isinstance(error, (FutureCancelledError, TaskCancelledError)):
            self.cancelled()
            return
        if not self.fate.excuses(error):
            self._ledger.violate(f"{self} raised without a reason:\n{_text(error)}")
        self._end(type(error).__name__)

    def failed_with(self, text: str) -> None:
        """End with the text of an error, given to a callback."""
        closed = "the session was closed" in text
        if not self.fate.excuses(RknnClosedError(text) if closed else RknnError(text)):
            self._ledger.violate(f"{self} failed without a reason: {text}")
        self._end("closed, as text" if closed else "failed, as text")

    def cancelled(self) -> None:
        """End as withdrawn."""
        if not (self.may_be_cancelled or self.fate.is_discarding):
            self._ledger.violate(f"{self} is cancelled, but no one has cancelled it")
        self._end("cancelled")

    def dropped(self) -> None:
        """End as unwanted: whether the task ran is unknown."""
        self._end("dropped")

    @contextlib.contextmanager
    def ending(self) -> Iterator[None]:
        """End the task with any exception that the block raises."""
        try:
            yield
        except (Exception, TaskCancelledError) as error:
            self.failed(error)

    def _end(self, outcome: str) -> None:
        with self._lock:
            former, self._outcome = self._outcome, self._outcome or outcome
        if former is None:
            self._ledger.finish(self, outcome)
        else:
            self._ledger.violate(f"{self} has ended twice: {former}, then {outcome}")


def _text(error: BaseException) -> str:
    return "".join(traceback.format_exception(type(error), error, error.__traceback__))
