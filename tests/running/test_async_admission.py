# SPDX-License-Identifier: Apache-2.0
"""The line of coroutines and greenlets in front of a full queue: admission, order and time limits."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from ez_rknn_async._running.async_admission import Admission
from ez_rknn_async.errors import RknnClosedError, RknnTimeoutError

LONG = 60.0  # seconds; only a failure takes that long


class Queue:
    """A queue with ``places`` places, and the line in front of it. Places stay taken until :meth:`free` frees them."""

    def __init__(self, places: int = 0) -> None:
        self.places = places
        self.admitted: list[str] = []
        self.attempts: list[str] = []
        self.requests = 0  # the number of requests to be told of room
        self.is_closed = False
        self.asked = threading.Event()  # at least one request was made
        self.line = Admission(self._notify_room)

    def _notify_room(self) -> None:
        if self.is_closed:
            raise RknnClosedError("the session is closed")
        self.requests += 1
        self.asked.set()
        if self.places:
            self.line.room()

    def free(self, places: int = 1) -> None:
        """Free places, and notify as the engine does."""
        self.places += places
        self.line.room()

    def close(self) -> None:
        self.is_closed = True
        self.line.close()

    def try_by(self, name: str) -> Callable[[], int]:
        """Return a function that takes a place under that name, and returns how many places were taken before."""

        def try_submit() -> int:
            self.attempts.append(name)
            if self.is_closed:
                raise RknnClosedError("the session is closed")
            if not self.places:
                raise RknnTimeoutError("the queue is full")
            self.places -= 1
            self.admitted.append(name)
            return len(self.admitted) - 1

        return try_submit

    def submit(self, name: str, timeout: float = LONG) -> asyncio.Future[int]:
        """Ask for a place in a coroutine that begins with the next turn of the loop."""
        return asyncio.ensure_future(self.line.submit(self.try_by(name), timeout))


async def settle() -> None:
    """Let all coroutines run as far as they can."""
    for _ in range(10):
        await asyncio.sleep(0)


def run(main: Callable[[], Awaitable[Any]]) -> Any:
    """Run a test's coroutine for at most a minute."""

    async def limited() -> Any:
        return await asyncio.wait_for(main(), LONG)

    return asyncio.run(limited())


def test_no_one_lines_up_while_there_is_room() -> None:
    """The engine is not even asked to notify."""
    queue = Queue(places=2)

    async def main() -> list[int]:
        return [await queue.line.submit(queue.try_by(name), LONG) for name in "ab"]

    assert run(main) == [0, 1]
    assert queue.requests == 0


def test_admits_coroutines_in_order_of_arrival() -> None:
    """Each gets the result of its own submission, one place after the other."""
    queue = Queue()

    async def main() -> list[int]:
        waiting = [queue.submit(name) for name in "abcd"]
        for _ in range(4):
            await settle()
            queue.free()
        return await asyncio.gather(*waiting)

    assert run(main) == [0, 1, 2, 3]
    assert queue.admitted == list("abcd")


def test_a_late_coroutine_does_not_overtake() -> None:
    """Room that is free when it comes belongs to the first in line."""
    queue = Queue()

    async def main() -> None:
        first = queue.submit("first")
        await settle()
        queue.places = 1  # and its notification is still on the way
        second = queue.submit("second")
        await settle()
        assert not second.done()
        queue.free()
        await asyncio.gather(first, second)

    run(main)
    assert queue.admitted == ["first", "second"]


def test_a_coroutine_that_loses_its_place_stays_first_in_line() -> None:
    """Threads do not line up here, so they may be faster; it then waits for the next notification."""
    queue = Queue()

    async def main() -> None:
        first, second = queue.submit("first"), queue.submit("second")
        await settle()
        queue.line.room()  # but a thread has the place by now
        await settle()
        assert not first.done()
        queue.free(2)
        await asyncio.gather(first, second)

    run(main)
    assert queue.admitted == ["first", "second"]


def test_waiting_does_not_poll() -> None:
    """There is one try before lining up, and one for each notification of room."""
    queue = Queue()

    async def main() -> None:
        waiting = queue.submit("a")
        await asyncio.sleep(0.05)
        assert queue.attempts == ["a"]
        queue.free()
        await waiting

    run(main)
    assert queue.attempts == ["a", "a"]


def test_a_line_that_does_not_move_times_out() -> None:
    """The error names the options that help, and the time waited."""
    queue = Queue()

    async def main() -> None:
        with pytest.raises(RknnTimeoutError, match="within 20 ms") as caught:
            await queue.line.submit(queue.try_by("a"), 0.02)
        assert "submit_timeout_ms" in str(caught.value)

    run(main)


def test_a_coroutine_past_its_time_does_not_take_a_place() -> None:
    """Its caller has given up; the next in line is told of the place."""
    queue = Queue()

    async def main() -> None:
        late, next_one = queue.submit("late", 0.02), queue.submit("next")
        with pytest.raises(RknnTimeoutError):
            await late
        await settle()
        queue.free()
        await next_one

    run(main)
    assert queue.admitted == ["next"]


def test_a_cancelled_coroutine_passes_the_notification_on() -> None:
    """It may have been the one that was told of room."""
    queue = Queue()

    async def main() -> None:
        cancelled, next_one = queue.submit("cancelled"), queue.submit("next")
        await settle()
        queue.free()
        cancelled.cancel()
        await next_one
        assert cancelled.cancelled()

    run(main)
    assert queue.admitted == ["next"]


def test_a_failed_submission_raises_and_leaves_the_line() -> None:
    """The next in line is served."""
    queue = Queue()
    answers = iter([RknnTimeoutError("the queue is full"), ZeroDivisionError()])

    def fail() -> int:
        raise next(answers)

    async def main() -> None:
        failing, next_one = asyncio.ensure_future(queue.line.submit(fail, LONG)), queue.submit("next")
        await settle()
        queue.free()
        with pytest.raises(ZeroDivisionError):
            await failing
        await next_one

    run(main)


def test_closing_ends_the_whole_line() -> None:
    """No coroutine hangs, and none is admitted."""
    queue = Queue()

    async def main() -> list[Any]:
        waiting = [queue.submit(name) for name in "abc"]
        await settle()
        queue.close()
        return await asyncio.gather(*waiting, return_exceptions=True)

    assert [type(error) for error in run(main)] == [RknnClosedError] * 3
    assert queue.admitted == []


def test_one_line_serves_the_loops_of_several_threads() -> None:
    """The notification comes on yet another thread."""
    queue = Queue()

    async def main() -> int:
        return await queue.line.submit(queue.try_by(threading.current_thread().name), LONG)

    results: list[int] = []
    threads = [threading.Thread(target=lambda: results.append(run(main)), name=f"loop {n}") for n in range(3)]
    for thread in threads:
        thread.start()
    while queue.requests < 3:
        assert queue.asked.wait(LONG)
        queue.asked.clear()
    queue.free(3)
    for thread in threads:
        thread.join(LONG)
    assert sorted(results) == [0, 1, 2]
    assert sorted(queue.admitted) == ["loop 0", "loop 1", "loop 2"]


def test_a_loop_that_was_closed_does_not_stop_the_line() -> None:
    """Its coroutine stays in line until it is collected; the loop refuses to wake it, and the others go on."""
    queue = Queue()
    loop = asyncio.new_event_loop()
    abandoned = queue.line.submit(queue.try_by("abandoned"), LONG)

    async def begin() -> None:
        abandoned.send(None)  # up to its wait

    loop.run_until_complete(begin())
    loop.close()
    queue.line.room()
    queue.line.close()
    abandoned.close()

    async def main() -> int:
        waiting = queue.submit("next")
        await settle()
        queue.free()
        return await waiting

    assert run(main) == 0


# ---- Greenlets ----


def test_a_greenlet_waits_for_the_notification() -> None:
    """A thread stands in for it here."""
    queue, results = Queue(), []
    thread = threading.Thread(target=lambda: results.append(queue.line.submit_waiting(queue.try_by("a"), LONG)))
    thread.start()
    assert queue.asked.wait(LONG)
    queue.free()
    thread.join(LONG)
    assert results == [0]


def test_a_greenlet_does_not_line_up_while_there_is_room() -> None:
    """Coroutines do not either."""
    queue = Queue(places=1)
    assert queue.line.submit_waiting(queue.try_by("a"), LONG) == 0
    assert queue.requests == 0


def test_a_greenlet_past_its_time_leaves_the_line() -> None:
    """A timeout of 0, which means no wait, is the extreme case."""
    queue = Queue()
    for timeout in (0.0, 0.02):
        with pytest.raises(RknnTimeoutError, match="no worker was free"):
            queue.line.submit_waiting(queue.try_by("late"), timeout)
    queue.places = 1
    assert queue.line.submit_waiting(queue.try_by("next"), 0.0) == 0


def test_closing_ends_a_greenlet_in_line() -> None:
    """It raises the error of a call after closing."""
    queue, errors = Queue(), []

    def wait() -> None:
        try:
            queue.line.submit_waiting(queue.try_by("a"), LONG)
        except RknnClosedError as error:
            errors.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    assert queue.asked.wait(LONG)
    queue.close()
    thread.join(LONG)
    assert len(errors) == 1
