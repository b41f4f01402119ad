"""One thread that collects what the engine's workers finish, and hands it out.

The workers never touch the interpreter; this thread is where their results enter it. It is started with the first task
that someone wants delivered, and ends when the engine is closed and everything accepted was delivered.
"""

from __future__ import annotations

import itertools
import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from .runtime.engine import Engine, Result, Task

    Array = npt.NDArray[Any]

logger = logging.getLogger("ez_rknn_async")


@dataclass(frozen=True)
class Delivery:
    """Who waits for a task, and the arrays that the task needs alive until it has ended."""

    inputs: Sequence[Array]
    outputs: list[Array]
    receive: Callable[[list[Array], Result], None]


class Dispatcher:
    """Delivers the completions of one engine, on a thread of its own."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._tags = itertools.count()
        self._deliveries: dict[int, Delivery] = {}
        self._starting = threading.Lock()  # guards _thread
        self._thread: threading.Thread | None = None

    def submit(self, task: Task, delivery: Delivery, timeout_ms: int) -> int:
        """Queue a task whose result shall be delivered, and return its id.

        Raises:
            RknnTimeoutError, RknnClosedError: it was not accepted, and nothing will be delivered.
        """
        self._start()
        tag = next(self._tags)
        # Known before the engine is: the result may be back before the submission returns.
        self._deliveries[tag] = delivery
        try:
            return self._engine.submit(task, tag, timeout_ms)
        except BaseException:
            del self._deliveries[tag]
            raise

    def is_current_thread(self) -> bool:
        """Whether the caller runs inside a delivery."""
        return threading.current_thread() is self._thread

    def join(self) -> None:
        """Wait until everything was delivered; the engine must have been closed."""
        with self._starting:
            thread = self._thread
        if thread is not None:
            thread.join()

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                # Daemon: a program that ends without closing its session must not wait for this thread for ever; the
                # session's finalizer has drained it before the interpreter goes.
                self._thread = threading.Thread(target=self._deliver_all, name="ez-rknn-dispatch", daemon=True)
                self._thread.start()

    def _deliver_all(self) -> None:
        while (result := self._engine.next_completion()) is not None:
            delivery = self._deliveries.pop(result.tag)
            try:
                delivery.receive(delivery.outputs, result)
            except BaseException:
                # Whatever a callback raises, SystemExit included, is its own business: the others are owed theirs.
                logger.exception("a callback of task %d raised", result.id)
            del delivery
