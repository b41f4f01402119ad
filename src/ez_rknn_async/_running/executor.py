# SPDX-License-Identifier: Apache-2.0
"""The running part of a session: the engine's threads, the calls under way, the delivery, and their shutdown.

A session that is dropped still owes its callers what it accepted. So everything that runs lives here, apart from the
session object, and :meth:`Executor.close` ends it in the one right order: no more work in, everything accepted
delivered, threads joined, contexts given back.
"""

from __future__ import annotations

import collections
import logging
import os
import sys
import threading
from typing import TYPE_CHECKING, Any, Callable, TypeVar

from .._host import greenlets
from .._observing.health import faults_of, read_health
from .._observing.stats import StatsReader
from .._runtime.engine import RUN_TIMEOUT
from .._runtime.task import EngineTask, Result
from .._runtime.timeouts import within
from .._tensors.outputs import AS_THE_SESSION
from .._transport.known_feeds import KnownFeeds
from .._transport.request import Request
from ..errors import RknnClosedError, RknnError, RknnTimeoutError
from . import greenlet_run
from .async_admission import Admission
from .delivery import Delivery, Listener
from .inflight import Call, InFlight, Run
from .replacing import Replacing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from .._contexts.pool import Contexts
    from .._observing.health import SessionHealth
    from .._observing.task_observer import TaskObserver
    from .._options.provider_options import ProviderOptions
    from .._runtime.kernels import Conversion
    from .._tensors.outputs import Choice
    from .assembly import Parts
    from .delivery import Recipient
    from .task_errors import Failures

    Array = npt.NDArray[Any]

AnyRequest = TypeVar("AnyRequest", bound=Request)

logger = logging.getLogger("ez_rknn_async")

# The time that close() waits for threads that are stuck inside the runtime.
STUCK_WAIT_MS = 1000
# What such threads, and those of an interrupted close(), may still use: kept for the life of the process.
_LOST: list[Delivery | Executor] = []


class Executor:
    """Runs one model on the contexts of a plan.

    Attributes:
        library: the runtime library.
        options: the session's.
        contexts: the workers' contexts of lane 0.
        signature: the model's inputs and outputs.
        transport: moves tensors to and from the NPU.
        direct: the same if it is direct I/O, otherwise None.
        versions: the runtime library's and the driver's.
        depth: the number of tasks under way that keeps every worker busy, without ever waiting for room.
        stats: the session's statistics.
        failure: makes the exception for a task that failed.
        cores: those of each group of workers, such as ``"0"`` or ``"0,1,2"``.
    """

    def __init__(
        self, parts: Parts, options: ProviderOptions, failure: Failures, observers: Sequence[TaskObserver] = ()
    ) -> None:
        """Run on these parts, which :meth:`close` gives back.

        Args:
            parts: those of the model.
            options: the session's.
            failure: makes the exception for a task that failed.
            observers: are notified of each task.
        """
        self.library, self.options, self.failure = parts.library, options, failure
        self.signature, self.transport, self.direct = parts.signature, parts.transport, parts.direct
        self.contexts: Contexts = parts.lanes[0]
        self.versions, self.cores = parts.versions, parts.cores
        self.depth = _depth(parts.workers, options.max_queue_size * len(parts.cores))
        self.stats = StatsReader(parts.engine, parts.cores, parts.memory)
        self._pid, self._main_thread = os.getpid(), threading.main_thread().ident
        self._timeout_ms, self._observers = options.submit_timeout_ms, tuple(observers)
        self._source, self._lanes, self._engine, self._nans = parts.source, parts.lanes, parts.engine, parts.nans
        self._tasks: collections.deque[EngineTask] = collections.deque()
        self._at_end: list[Callable[[], None]] = []
        self._known_feeds = None if self.direct is None else KnownFeeds(self.signature.input_names, self.direct.staging)
        self._in_flight = InFlight()
        self._admission = Admission(self._notify_room)
        replacing = Replacing(parts, self._in_flight, options.load_timeout_ms)
        self._delivery = Delivery(
            parts.engine,
            self._in_flight,
            Listener(self._warn_of_nan, self._admission.room, replacing.set_aside, parts.lanes.release),
        )
        parts.lanes.attach(parts.engine, self._check_process)

    def listen(self) -> None:
        """Start the delivery if it cannot wait for the first task; call once, on the thread that opens the session.

        A watchdog may report something before any task is submitted, and a greenlet belongs to the thread that starts
        it.
        """
        if self._engine.has_watchdog or (greenlets.framework() is not None and greenlets.in_main_thread()):
            self._delivery.start()

    def request(
        self,
        feed: Any,
        *,
        private: bool,
        outputs: Mapping[str, Any] | None = None,
        choice: Choice = AS_THE_SESSION,
    ) -> Request:
        """Check and convert a feed, and allocate the arrays for the outputs.

        Args:
            feed: ``{name: array}``, a sequence of arrays, or one array.
            private: True if the request must not share memory with the feed.
            outputs: arrays to receive outputs, by name; the others are allocated.
            choice: the element type and layout of the outputs.

        Raises:
            RknnValueError, RknnTypeError: the feed or the arrays do not fit the model.
        """
        known_feeds = self._known_feeds if outputs is None else None
        if known_feeds is not None:
            known = known_feeds.request(feed, choice, private=private)
            if known is not None:
                return known
        given, chosen = self.signature.check(feed)
        receivers = self.signature.receivers(chosen, outputs, choice)
        request = self.transport.request(given, chosen, receivers, private=private)
        if known_feeds is not None:
            known_feeds.remember(feed, given, choice, request)
        return request

    def run(self, request: Request) -> list[Array]:
        """Run one inference and return all outputs.

        On the main thread it can be interrupted: a signal handler that raises ends it.

        Raises:
            RknnTimeoutError: no worker was free in time, or the run took too long.
            RknnError: the runtime refused or failed.
        """
        # As few calls as possible: every inference passes through here.
        if os.getpid() != self._pid:
            self._check_process()
        if greenlets.may_be() and self._delivery.serves_greenlets():
            return greenlet_run.run(self, request, self._timeout_ms)
        interruptible = threading.get_ident() == self._main_thread
        with Run(self._in_flight, request, self._delivery.start) as run:
            task = self._filled(request)
            code = self._engine.run(task, run.number, self._timeout_ms, interruptible=interruptible, keep=run.keep)
            if code < 0 or self._observers or request.needs_result:
                run.result = result = task.outcome()
                for observer in self._observers:
                    observer.task_ended(result)
                if code < 0:
                    if code == RUN_TIMEOUT and self._engine.has_watchdog:
                        run.keep(True)
                    raise self.failure(result)
            self._tasks.append(task)
        for conversion in request.quantisations:
            if conversion.met_nan[0]:
                self._warn_of_nan(conversion)
        return request.arrays

    def submit(
        self,
        request: AnyRequest,
        receive: Callable[[AnyRequest, Result], None],
        *,
        unordered: bool = False,
        timeout_ms: int | None = None,
    ) -> int:
        """Queue one inference and return its id; ``receive`` gets its result on the delivery's thread.

        Args:
            request: what to run.
            receive: is called with the request and the result once the task has ended, however it ended.
            unordered: deliver the result at once; otherwise in the order of submission, if the session's options ask.
            timeout_ms: the longest wait for a place in the queue; None: as the session's options say.

        Raises:
            RknnTimeoutError: the queue stayed full; ``receive`` will not be called.
        """
        if os.getpid() != self._pid:
            self._check_process()
        for observer in self._observers:
            receive = observer.observing(receive)
        timeout = self._timeout_ms if timeout_ms is None else timeout_ms
        recipient = request, receive
        if timeout and greenlets.may_be() and self._delivery.serves_greenlets():
            return self._admission.submit_waiting(lambda: self._submit(recipient, 0, unordered), timeout / 1000)
        return self._submit(recipient, timeout, unordered)

    def _submit(self, recipient: Recipient, timeout_ms: int, unordered: bool) -> int:
        with Call(self._in_flight) as number:
            task = self._filled(recipient[0])
            identifier = self._delivery.submit(task, number, recipient, timeout_ms, unordered=unordered)
            self._tasks.append(task)
        return identifier

    def has_line(self) -> bool:
        """Check if coroutines or greenlets wait for room in the queue, whom no other may overtake."""
        return self._admission.has_line()

    def submit_at_once(self, request: AnyRequest, receive: Callable[[AnyRequest, Result], None]) -> int:
        """Submit unordered if there is room in the queue, and otherwise raise RknnTimeoutError; see :meth:`submit`."""
        return self.submit(request, receive, unordered=True, timeout_ms=0)

    async def submit_awaitable(self, request: AnyRequest, receive: Callable[[AnyRequest, Result], None]) -> int:
        """Submit unordered from a coroutine; the event loop goes on while the queue is full. See :meth:`submit`."""
        return await self._admission.submit(
            lambda: self.submit(request, receive, unordered=True, timeout_ms=0), self._timeout_ms / 1000
        )

    def check_open(self) -> None:
        """Check that the session can run something.

        Raises:
            RknnClosedError: the session is closed.
            RknnError: this process is a fork of the one that has the session.
        """
        self._check_process()
        with Call(self._in_flight):
            pass

    def health(self) -> SessionHealth:
        """Return the health of the workers.

        Raises:
            RknnClosedError: it is closed.
            RknnError: this process is a fork of the one that has the session.
        """
        self._check_process()
        with Call(self._in_flight):
            return read_health(self._engine, self.cores)

    def state(self) -> str:
        """Return ``"open"`` with the workers' faults if there are any, ``"closed"``, or ``"of another process"``.

        Asks neither the runtime nor the NPU.
        """
        if os.getpid() != self._pid:
            return "of another process"
        try:
            workers = self.health().workers
        except RknnClosedError:
            return "closed"
        except RknnError:
            return "open, all workers lost"
        return f"open{faults_of(workers)}"

    def lane(self, inputs: Sequence[str], outputs: Sequence[str]) -> tuple[int, Contexts]:
        """Return the lane for inferences whose tensors are bound in these ways, and its contexts; see :attr:`Form.way`.

        Raises:
            RknnError: the runtime has no more contexts.
        """
        number = self._lanes.number((tuple(inputs), tuple(outputs)))
        return number, self._lanes[number]

    def call_at_end(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` once the contexts are gone; never, if a thread is stuck in one."""
        self._at_end.append(callback)

    def cancel(self, identifier: int) -> bool:
        """Withdraw a submitted task; False if a worker has taken it up or the session is closed."""
        try:
            with Call(self._in_flight):
                return self._engine.cancel(identifier)
        except RknnClosedError:
            return False

    def is_delivering(self) -> bool:
        """Check if the caller runs inside a callback of this executor."""
        return self._delivery.is_current_thread()

    def close(self, *, cancel: bool = False, patient: bool = True) -> None:
        """Accept no more, deliver what was accepted, end the threads, give the contexts back. May be called twice.

        Called from inside a callback it does not wait: the rest follows when that callback has returned. On the main
        thread it can be interrupted: a signal handler that raises ends it, and the rest is left undone.

        Args:
            cancel: what no worker has taken up ends with :data:`DISCARDED` instead.
            patient: wait for the runtime to take the contexts back, however long it takes. Otherwise another thread
                does that, which is no choice for a finalizer: it may run where no thread can be started.
        """
        if os.getpid() != self._pid:
            return  # a forked child: the threads and the contexts are its parent's
        if sys.is_finalizing():
            return  # past the finalizers, which were interrupted: no Python thread runs that could be joined
        if not self._in_flight.close():
            return
        self._admission.close()
        self._engine.close(discard=cancel)
        if self._delivery.is_current_thread():
            # This thread cannot join itself; another one finishes.
            threading.Thread(target=self._finish, args=(False,), name="ez-rknn-close").start()
            return
        try:
            self._finish(patient)
        except BaseException:
            _LOST.append(self)
            raise

    def _finish(self, patient: bool) -> None:
        self._in_flight.wait_until_empty()
        self._delivery.join()
        self._engine.join()
        self.stats.freeze()
        if self.direct is not None:
            self.direct.staging.clear()
        self._lanes.detach()
        lost = self._engine.destroy(STUCK_WAIT_MS)
        if lost:
            logger.error("%d contexts are lost: their threads are stuck inside the runtime", len(lost))
            _LOST.append(self._delivery)
        if patient:
            self._lanes.close(lost)
        else:
            self._give_back(lost)
        while self._at_end and not lost:
            self._at_end.pop()()
        self._source.let_go()

    def _give_back(self, lost: set[int]) -> None:
        try:
            within(
                self.options.load_timeout_ms, "giving contexts back", lambda: self._lanes.close(lost), lambda _: None
            )
        except RknnTimeoutError:
            logger.exception("contexts are lost")
            _LOST.append(self)

    def _warn_of_nan(self, conversion: Conversion) -> None:
        self._nans.warn(conversion.name)

    def _notify_room(self) -> None:
        with Call(self._in_flight):
            self._engine.notify_room()

    def _check_process(self) -> None:
        if os.getpid() != self._pid:
            raise RknnError(
                "this session was created before fork(), and NPU contexts do not survive it",
                hint="create the session in the child process, or start it with the 'spawn' method",
            )

    def _filled(self, request: Request) -> EngineTask:
        """Write a request into pooled structures, which the engine has copied when its call returns."""
        try:
            # Pooled, not thread-local: a signal handler may call run() while run() is under way.
            task = self._tasks.pop()
        except IndexError:
            task = EngineTask(len(self.signature.inputs), len(self.signature.outputs))
        request.fill(task)
        return task


def _depth(workers: int, queued: int) -> int:
    """Return the number of tasks that a stream has under way.

    Every worker has a task, and three more wait for it: then results are collected several at a time, which costs less
    than half of collecting each on its own.
    """
    return workers + max(workers, min(3 * workers, queued))
