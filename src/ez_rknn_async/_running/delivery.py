# SPDX-License-Identifier: Apache-2.0
"""The thread that collects the results of the engine's workers and delivers them.

The workers never touch the interpreter; this thread is where their results enter it. It is started with the first task
whose result is to be delivered, and ends when the engine is closed and everything accepted was delivered.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

from .._host import greenlets
from .._host.callbacks import report_exception
from .._runtime.engine import OK, ROOM, RUN_TIMEOUT, STALLED
from ..errors import RknnError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .._runtime.engine import Engine
    from .._runtime.kernels import Conversion
    from .._runtime.task import EngineTask, Result
    from .._transport.request import Request
    from .inflight import InFlight

    # The request of a task, which is needed until its result is there, and what receives that.
    Recipient = tuple[Request, Callable[[Any, Result], None]]


class Listener(NamedTuple):
    """Callbacks for what concerns more than one task's receiver. All are called on the delivery thread."""

    met_nan: Callable[[Conversion], None]  # a result was delivered, and this conversion of its inputs has met a NaN
    room: Callable[[], None]  # a submission may succeed
    stalled: Callable[[int, int, int], None]  # (worker, tag, lane): the worker hangs inside the runtime with that task
    released: Callable[[int, int], None]  # (tag, lane): the runtime call that hung with that task has returned


class Delivery:
    """Delivers the events of one engine, on a thread of its own."""

    def __init__(self, engine: Engine, in_flight: InFlight, listener: Listener) -> None:
        self._engine = engine
        self._in_flight = in_flight
        self._listener = listener
        self._recipients: dict[int, Recipient] = {}
        self._stalled: set[int] = set()  # tags of tasks that hang inside the runtime
        self._starting = threading.Lock()  # guards the two below
        self._thread: threading.Thread | None = None
        self._framework: greenlets.Framework | None = None  # set if the thread is one of its greenlets

    def submit(self, task: EngineTask, tag: int, recipient: Recipient, timeout_ms: int, *, unordered: bool) -> int:
        """Queue a task whose result is to be delivered, and return its id; ``tag`` is a number that no other has.

        Raises:
            RknnTimeoutError, RknnClosedError: it was not accepted, and nothing will be delivered.
        """
        if self._thread is None or self._framework is not None or greenlets.may_be():
            self.start()
        # Before the engine has it: the result may be back before the submission returns.
        self._recipients[tag] = recipient
        try:
            return self._engine.submit(task, tag, timeout_ms, unordered=unordered)
        except BaseException:
            del self._recipients[tag]
            raise

    def serves_greenlets(self) -> bool:
        """Check if the caller is a greenlet that can wait while others run, including the one that delivers.

        Raises: as :meth:`start`.
        """
        if not greenlets.may_be() or greenlets.framework() is None or not greenlets.in_main_thread():
            return False
        self.start()
        return not self.is_current_thread()

    def is_current_thread(self) -> bool:
        """Check if the caller runs inside a delivery."""
        return threading.current_thread() is self._thread

    def join(self) -> None:
        """Wait until everything is delivered; the engine must have been closed."""
        with self._starting:
            thread = self._thread
        if thread is not None:
            thread.join()

    def start(self) -> None:
        """Start the thread, unless it runs. Where threads are greenlets, it is a greenlet of the main thread.

        Raises:
            RknnError: the program was patched after the thread was started, or the greenlet would be on another thread,
                whose greenlets do not run by themselves.
        """
        framework = greenlets.framework()
        if self._thread is None:
            with self._starting:
                if self._thread is None:
                    self._thread = self._started(framework)
        if framework is not self._framework:
            raise RknnError(
                "monkey.patch_all() came after this session had started its threads",
                hint="patch first thing in the program, before sessions are opened",
            )

    def _started(self, framework: greenlets.Framework | None) -> threading.Thread:
        if framework is not None and not greenlets.in_main_thread():
            raise RknnError(
                f"the first call that {framework.name}'s greenlets are to wait for came from another thread",
                hint="open the session in the main thread; run() works in every thread",
            )
        self._framework = framework
        # Daemon: a program that ends without closing its session must not wait for this thread for ever; the session's
        # finalizer has drained it before the interpreter goes.
        thread = threading.Thread(target=self._deliver_all, name="ez-rknn-delivery", daemon=True)
        thread.start()
        return thread

    def _batches(self) -> Iterator[list[tuple[int, Result | None]]]:
        if self._framework is None:
            return iter(self._engine.next_events, [])
        return greenlets.relayed(self._framework, self._engine.next_events)

    def _deliver_all(self) -> None:
        for events in self._batches():
            for event, result in events:
                try:
                    if event == OK and result is not None:
                        self._deliver(result)
                    else:
                        self._handle(event, result)
                except BaseException:
                    # Whatever a callback raises, SystemExit included, must not keep the others from their results.
                    report_exception()

    def _handle(self, event: int, result: Result | None) -> None:
        if result is None:
            assert event == ROOM
            self._listener.room()
        elif event == STALLED:
            self._stalled.add(result.tag)
            self._listener.stalled(result.worker, result.tag, result.lane)
        else:
            self._in_flight.release(result.tag, result)
            if result.tag in self._stalled:
                self._stalled.remove(result.tag)
                self._listener.released(result.tag, result.lane)

    def _deliver(self, result: Result) -> None:
        request, receive = self._recipients.pop(result.tag)
        if result.code == RUN_TIMEOUT and self._engine.has_watchdog:
            self._in_flight.keep(result.tag, request)
        else:
            request.ended(result)
        try:
            receive(request, result)
        finally:
            for conversion in request.quantisations:
                if conversion.met_nan[0]:
                    self._listener.met_nan(conversion)
