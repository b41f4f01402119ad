# SPDX-License-Identifier: Apache-2.0
"""Who runs next: a bounded queue before one model.

Only as many tasks as keep its workers busy are given to the session; the others wait here, where they can still be
overtaken (by a higher priority), withdrawn (by their client) or refused (when the queue is full). A ticket is one
request; a client's batch has a part for each sample, and the parts spread over the cores.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Callable

from .refusal import UNAVAILABLE, RefusedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    Feed = dict[str, Any]
    Submit = Callable[[Feed], Future[list[Any]]]
    _Future = Future[list[list[Any]]]
else:
    _Future = Future


class Ticket(_Future):
    """One admitted request: the future of its parts' outputs, in order.

    Attributes:
        offered_ns, started_ns: when it was admitted, and when its first part left the queue (0: it has not).
    """

    def __init__(self, feeds: Sequence[Feed], priority: int) -> None:
        super().__init__()
        self.feeds = list(feeds)
        self.priority = priority
        self.results: list[list[Any]] = [[] for _ in feeds]
        self.missing = len(feeds)
        self.runs: list[Future[list[Any]]] = []
        self.offered_ns = time.perf_counter_ns()
        self.started_ns = 0

    def withdraw(self) -> bool:
        """End it as cancelled, unless it has ended; return True if it is cancelled.

        Parts that the NPU runs already run to their end, unheard.
        """
        cancelled = self.cancel()
        if cancelled:
            for run in list(self.runs):
                run.cancel()
        return cancelled

    def end(self, error: BaseException | None = None) -> None:
        """Set the results or the error, unless it has ended."""
        with suppress(InvalidStateError):
            if error is None:
                self.set_result(self.results)
            else:
                self.set_exception(error)


class Admission:
    """The queue of one model. Thread-safe.

    Args:
        submit: gives one part to the session, without waiting.
        width: the parts that the session has at once.
        limit: the requests that may be admitted and not answered at once.
    """

    def __init__(self, submit: Submit, width: int, limit: int) -> None:
        self._submit = submit
        self._width = width
        self._limit = limit
        self._lock = threading.Lock()  # guards what follows
        self._order = itertools.count()
        self._waiting: list[tuple[int, int, int, Ticket]] = []
        self._running = 0
        self._open = 0
        self._closed: RefusedError | None = None
        self._idle = threading.Condition(self._lock)
        self._starting = threading.local()  # .now: this thread is giving parts to the session

    @property
    def pending(self) -> int:
        """The requests that are admitted and not answered."""
        return self._open

    def offer(self, feeds: Sequence[Feed], priority: int = 0) -> Ticket:
        """Admit a request.

        Raises:
            RefusedError: the queue is full, or closed.
        """
        ticket = Ticket(feeds, priority)
        with self._lock:
            if self._closed is not None:
                raise self._closed
            if self._open >= self._limit:
                raise RefusedError(
                    UNAVAILABLE, f"all {self._limit} places in the model's queue are taken", hint="try again later"
                )
            self._open += 1
            number = next(self._order)
            for part in range(len(feeds)):
                heapq.heappush(self._waiting, (priority, number, part, ticket))
        ticket.add_done_callback(self._answered)
        self._start()
        return ticket

    def expire(self, ticket: Ticket) -> bool:
        """Withdraw a request none of whose parts has left the queue; return True if it is cancelled."""
        with self._lock:
            started = ticket.started_ns
        return not started and ticket.withdraw()

    def close(self, reason: RefusedError) -> None:
        """Refuse what comes from now on; what was admitted goes on."""
        with self._lock:
            self._closed = reason

    def reopen(self) -> None:
        """Admit requests again."""
        with self._lock:
            self._closed = None

    def fail_waiting(self, error: RefusedError) -> None:
        """Answer every request that waits with an error."""
        with self._lock:
            tickets = [entry[-1] for entry in self._waiting]
        for ticket in tickets:
            ticket.end(error)

    def wait_idle(self, seconds: float | None) -> bool:
        """Wait until every admitted request is answered and has left the NPU; False if time was up."""
        with self._idle:
            return self._idle.wait_for(lambda: not self._open and not self._running, seconds)

    def _start(self) -> None:
        """Give parts to the session while it has room."""
        # A run may end, and its callback come back here, before the loop is through: the loop will see it.
        if getattr(self._starting, "now", False):
            return
        self._starting.now = True
        try:
            while (entry := self._next()) is not None:
                self._give(*entry)
        finally:
            self._starting.now = False

    def _next(self) -> tuple[Ticket, int] | None:
        with self._lock:
            while self._waiting and self._running < self._width:
                _, _, part, ticket = heapq.heappop(self._waiting)
                if not ticket.done():
                    self._running += 1
                    ticket.started_ns = ticket.started_ns or time.perf_counter_ns()
                    return ticket, part
        return None

    def _give(self, ticket: Ticket, part: int) -> None:
        try:
            run = self._submit(ticket.feeds[part])
        except Exception as error:
            self._left()
            ticket.end(error)
            return
        ticket.runs.append(run)
        if ticket.cancelled():  # meanwhile, and so without this run
            run.cancel()
        run.add_done_callback(partial(self._ended, ticket, part))

    def _ended(self, ticket: Ticket, part: int, run: Future[list[Any]]) -> None:
        self._left()
        if run.cancelled():
            ticket.end(RefusedError(UNAVAILABLE, "the model was unloaded before the request got its turn"))
        elif (error := run.exception()) is not None:
            ticket.end(error)
        else:
            ticket.results[part] = run.result()
            with self._lock:
                ticket.missing -= 1
                last = not ticket.missing
            if last:
                ticket.end()
        self._start()

    def _left(self) -> None:
        with self._idle:
            self._running -= 1
            self._idle.notify_all()

    def _answered(self, ticket: _Future) -> None:
        assert isinstance(ticket, Ticket)
        with self._idle:
            self._open -= 1
            # Withdrawn or failed before all of it had started: a client that gives up again and again must not fill
            # the queue with what is left of its requests.
            if any(entry[-1] is ticket for entry in self._waiting):
                self._waiting = [entry for entry in self._waiting if entry[-1] is not ticket]
                heapq.heapify(self._waiting)
            self._idle.notify_all()
