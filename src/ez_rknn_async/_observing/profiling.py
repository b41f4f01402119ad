# SPDX-License-Identifier: Apache-2.0
"""A session's profile: when each task waited, was converted, ran and was delivered, as a Chrome trace.

Open the file in ``chrome://tracing`` or https://ui.perfetto.dev: it has a row for each worker with its tasks one after
the other, a row for the callbacks, and the waits in the queues, which overlap, on rows of their own.
"""

from __future__ import annotations

import datetime
import itertools
import json
import logging
import os
import threading
import time
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

from ..errors import RknnError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .._runtime.task import Result

logger = logging.getLogger("ez_rknn_async")

# The most records of a profile: the number of events at which ONNX Runtime's own ends, too.
MOST_RECORDS = 1_000_000
_CALLBACKS = 0  # the row of the callbacks; workers follow


class _Callback(NamedTuple):
    task: int
    began_ns: int
    ended_ns: int


class Profiler:
    """Records tasks from its creation to :meth:`end`; recording is thread-safe and keeps only the engine's results."""

    def __init__(self, prefix: str, workers: Sequence[str]) -> None:
        """Begin to record.

        Args:
            prefix: the beginning of the file's path.
            workers: the cores that each worker uses, such as ``"0"`` or ``"0,1,2"``.
        """
        self.start_ns = time.monotonic_ns()
        self._prefix = prefix
        self._workers = tuple(workers)
        self.measure_layers: Callable[[], str] | None = None  # returns the runtime's table; called at the end
        self._pid = os.getpid()
        self._ending = threading.Lock()  # one call of end() at a time; guards _table
        self._table: str | None = None  # kept once it is measured, as writing the file may have to be tried again
        # Guards what follows. Reentrant: a garbage collection inside may end the session, and so the profile.
        self._lock = threading.RLock()
        self._results: list[Result] = []
        self._callbacks: list[_Callback] = []
        self._path: str | None = None

    def task_ended(self, result: Result) -> None:
        """Record a task that has ended."""
        self._record(self._results, result)

    def observing(self, receive: Callable[[Any, Result], None]) -> Callable[[Any, Result], None]:
        """Return the same receiver of a task's results, which also records the task and the time of receiving."""

        def observed(request: Any, result: Result) -> None:
            self.task_ended(result)
            began_ns = time.monotonic_ns()
            try:
                receive(request, result)
            finally:
                self.callback(result.id, began_ns)

        return observed

    def callback(self, task: int, began_ns: int) -> None:
        """Record that the delivery of a task's results began at ``began_ns`` and has just ended."""
        self._record(self._callbacks, _Callback(task, began_ns, time.monotonic_ns()))

    def end(self) -> str:
        """Write the file and return its path; a second call only returns the path.

        In a forked child it does nothing and returns ``""``: the parent writes what was recorded.

        Raises:
            OSError: the file cannot be written; what was recorded is kept.
        """
        if os.getpid() != self._pid:
            return ""
        with self._ending:
            if self._path is None:
                if self._table is None:
                    self._table = self._layers()
                with self._lock:
                    self._path = self._write(self._table)
                    self._results, self._callbacks = [], []
            return self._path

    def _layers(self) -> str:
        try:
            return self.measure_layers() if self.measure_layers is not None else ""
        except RknnError:
            logger.exception("the profile has no table of layers")
            return ""

    def _record(self, records: list[Any], record: object) -> None:
        with self._lock:
            if self._path is not None:
                return
            if len(records) == MOST_RECORDS:
                return
            records.append(record)
            if len(records) == MOST_RECORDS:
                logger.warning("the profile is full after %d tasks; what follows is not in it", MOST_RECORDS)

    def _write(self, layers: str) -> str:
        events = [*self._rows(), *self._spans()]
        text = json.dumps({"traceEvents": events, "displayTimeUnit": "ms", "otherData": {"layers": layers}})
        stamp = datetime.datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
        for number in itertools.count():
            path = f"{self._prefix}{stamp}{f'_{number}' * bool(number)}.json"
            try:
                with open(path, "x", encoding="utf-8") as file:
                    file.write(text)
            except FileExistsError:
                continue  # of another session, in the same second
            return path
        raise AssertionError

    def _rows(self) -> Iterator[dict[str, Any]]:
        names = {_CALLBACKS: "callbacks", **{1 + w: self._row_name(w) for w in range(len(self._workers))}}
        for row, name in names.items():
            yield {"ph": "M", "name": "thread_name", "pid": os.getpid(), "tid": row, "args": {"name": name}}

    def _row_name(self, worker: int) -> str:
        cores = self._workers[worker]
        same = [w for w, other in enumerate(self._workers) if other == cores]
        return f"core {cores}" + (f", context {same.index(worker)}" if len(same) > 1 else "")

    def _spans(self) -> Iterator[dict[str, Any]]:
        for result in self._results:
            yield from self._of_task(result)
        for task, began, ended in self._callbacks:
            yield _span("callback", _CALLBACKS, began, ended, task)

    def _of_task(self, result: Result) -> Iterator[dict[str, Any]]:
        if result.worker >= len(self._workers):
            return  # withdrawn or discarded: no worker took it up
        row = 1 + result.worker
        for phase, at in (("b", result.submitted_ns), ("e", result.started_ns)):
            yield {
                "ph": phase,
                "cat": "queue",
                "name": "queue",
                "id": result.id,
                "pid": os.getpid(),
                "tid": row,
                "ts": at / 1000,
                "args": {"task": result.id},
            }
        times = (result.started_ns, result.input_ns, result.npu_ns, result.finished_ns)
        for name, began, ended in zip(("input conversion", "NPU", "output conversion"), times, times[1:]):
            # A task that failed did not reach every stage.
            if began and ended >= began:
                yield _span(name, row, began, ended, result.id, result.code)


def _span(name: str, row: int, began_ns: int, ended_ns: int, task: int, code: int = 0) -> dict[str, Any]:
    return {
        "ph": "X",
        "cat": "task",
        "name": name,
        "pid": os.getpid(),
        "tid": row,
        "ts": began_ns / 1000,  # microseconds
        "dur": (ended_ns - began_ns) / 1000,
        "args": {"task": task, **({"code": code} if code < 0 else {})},
    }
