# SPDX-License-Identifier: Apache-2.0
"""The ways to run a model, each as a program would do it, under one load.

Each function offers the load until the pacer ends it, waits for what is under way, and returns. Where the load says how
many requests are under way, ``run`` and ``bindings`` use as many threads, ``asyncio`` as many coroutines, and the
others wait for one to be done before they submit the next.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Callable, Optional

from ..._options.run_options import DISPATCH_BATCH
from .host import this_thread_waited

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from concurrent.futures import Future

    from ...session import InferenceSession
    from .load import Load
    from .pacer import Pacer

    Feed = Mapping[str, Any]

Way = Callable[["InferenceSession", "Sequence[Feed]", "Pacer", "Load", Optional[int]], None]


def offer(session: InferenceSession, feeds: Sequence[Feed], pacer: Pacer, load: Load, workers: int) -> None:
    """Offer the load to the session; ``workers`` is the number of requests that it runs at once.

    A failure ends the load; the pacer has its text.
    """
    # Threads and coroutines need a number. Two for each worker keep it busy, as one can wait while another runs.
    in_flight = load.in_flight
    if in_flight is None and (load.rate is not None or load.way not in ("run_async", "submit")):
        in_flight = 2 * workers
    pacer.begin()
    _WAYS[load.way](session, feeds, pacer, load, in_flight)


def _run(session: InferenceSession, feeds: Sequence[Feed], pacer: Pacer, load: Load, in_flight: int | None) -> None:
    options = {DISPATCH_BATCH: True} if load.batch is not None else None

    def client() -> Callable[[Feed], object]:
        return lambda feed: session.run(None, feed, options)

    _in_threads(client, feeds, pacer, in_flight)


def _bindings(
    session: InferenceSession, feeds: Sequence[Feed], pacer: Pacer, load: Load, in_flight: int | None
) -> None:
    # Each thread has a binding with memory of its own: the input is in place, and the output stays where it is.
    def client() -> Callable[[Feed], object]:
        binding = session.io_binding()
        for name, array in feeds[0].items():
            binding.bind_cpu_input(name, array)
        for name in session.output_names:
            binding.bind_output(name)
        return lambda _feed: session.run_with_iobinding(binding)

    _in_threads(client, feeds, pacer, in_flight)


def _in_threads(
    client: Callable[[], Callable[[Feed], object]], feeds: Sequence[Feed], pacer: Pacer, in_flight: int | None
) -> None:
    """Let each of several threads make requests one after the other; a single one is the caller's own thread."""

    def requests() -> None:
        try:
            one = client()
            for feed in itertools.cycle(feeds):
                due = pacer.take()
                if due is None:
                    return
                begun = pacer.now()
                one(feed)
                pacer.finished(due, begun)
        except Exception as error:
            pacer.failed(error)

    def thread() -> None:
        requests()
        pacer.thread_ends(this_thread_waited())

    if in_flight == 1:
        requests()
        return
    threads = [threading.Thread(target=thread, name=f"bench {n}", daemon=True) for n in range(in_flight or 1)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()


class _Room:
    """Counts the requests under way, and waits for one to be done where the load limits their number."""

    def __init__(self, in_flight: int | None) -> None:
        self._changed = threading.Condition()
        self._limit = in_flight
        self._under_way = 0

    def enter(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._limit is None or self._under_way < self._limit)
            self._under_way += 1

    def leave(self) -> None:
        with self._changed:
            self._under_way -= 1
            self._changed.notify_all()

    def wait_until_empty(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._under_way == 0)


def _submitting(
    submit: Callable[[Feed, Callable[[str], None]], None], feeds: Sequence[Feed], pacer: Pacer, room: _Room
) -> None:
    """Submit request after request; ``submit`` is given what to call with the error's text or "" when it is done."""
    for feed in itertools.cycle(feeds):
        room.enter()
        due = pacer.take()
        if due is None:
            room.leave()
            break

        begun = pacer.now()

        def done(error: str, due: float = due, begun: float = begun) -> None:
            pacer.finished(due, begun, error)
            room.leave()

        try:
            submit(feed, done)
            pacer.submitted(pacer.now() - begun)
        except Exception as error:
            pacer.failed(error)
            room.leave()
            break
    room.wait_until_empty()


def _run_async(
    session: InferenceSession, feeds: Sequence[Feed], pacer: Pacer, load: Load, in_flight: int | None
) -> None:
    def submit(feed: Feed, done: Callable[[str], None]) -> None:
        session.run_async(None, feed, lambda _results, _data, error: done(error))

    _submitting(submit, feeds, pacer, _room(load, in_flight))


def _submit(session: InferenceSession, feeds: Sequence[Feed], pacer: Pacer, load: Load, in_flight: int | None) -> None:
    def submit(feed: Feed, done: Callable[[str], None]) -> None:
        session.submit(feed).add_done_callback(lambda future: done(_error(future)))

    _submitting(submit, feeds, pacer, _room(load, in_flight))


def _room(load: Load, in_flight: int | None) -> _Room:
    # A rate does not wait for anything but the session's own queue.
    return _Room(None if load.rate is not None else in_flight)


def _error(future: Future[Any]) -> str:
    error = future.exception()
    return "" if error is None else str(error)


def _map(session: InferenceSession, feeds: Sequence[Feed], pacer: Pacer, load: Load, in_flight: int | None) -> None:
    under_way: deque[tuple[float, float]] = deque()

    def due_feeds() -> Iterator[Feed]:
        for feed in itertools.cycle(feeds):
            due = pacer.take()
            if due is None:
                return
            under_way.append((due, pacer.now()))
            yield feed

    try:
        for _ in session.map(due_feeds(), depth=in_flight):
            pacer.finished(*under_way.popleft())
    except Exception as error:
        pacer.failed(error)


def _asyncio(session: InferenceSession, feeds: Sequence[Feed], pacer: Pacer, load: Load, in_flight: int | None) -> None:
    asyncio.run(_coroutines(session, itertools.cycle(feeds), pacer, load, in_flight or 1))


async def _coroutines(
    session: InferenceSession, feeds: Iterator[Feed], pacer: Pacer, load: Load, in_flight: int
) -> None:
    async def one(due: float) -> None:
        begun = pacer.now()
        try:
            await session.run_awaitable(None, next(feeds))
            pacer.finished(due, begun)
        except Exception as error:
            pacer.failed(error)

    async def one_after_the_other() -> None:
        while (due := pacer.next_due()) is not None:
            await one(due)

    if load.rate is None:
        await asyncio.gather(*(one_after_the_other() for _ in range(in_flight)))
        return
    under_way: set[asyncio.Task[None]] = set()
    while (due := pacer.next_due()) is not None:
        await asyncio.sleep(max(0.0, due - pacer.now()))
        task = asyncio.ensure_future(one(due))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
    if under_way:
        await asyncio.wait(under_way)


_WAYS: dict[str, Way] = {
    "run": _run,
    "run_async": _run_async,
    "submit": _submit,
    "map": _map,
    "asyncio": _asyncio,
    "bindings": _bindings,
}
