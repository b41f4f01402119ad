"""The line of coroutines and greenlets in front of a full queue: who is let in, in which order, and for how long."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from ez_rknn_async._running.async_admission import Admission
from ez_rknn_async.errors import RknnClosedError, RknnTimeoutError

LONG = 60.0  # seconds; only a failure takes as long


class Queue:
    """A queue of so many places, with the line in front of it. Places are taken until :meth:`free` gives them back."""

    def __init__(self, places: int = 0) -> None:
        self.places = places
        self.admitted: list[str] = []
        self.attempts: list[str] = []
        self.requests = 0  # how many times someone asked to be told of room
        self.is_closed = False
        self.asked = threading.Event()  # someone has asked
        self.line = Admission(self._notify_room)

    def _notify_room(self) -> None:
        if self.is_closed:
            raise RknnClosedError("the session is closed")
        self.requests += 1
        self.asked.set()
        if self.places:
            self.line.room()

    def free(self, places: int = 1) -> None:
        """Make room, and say so as the engine does."""
        self.places += places
        self.line.room()

    def close(self) -> None:
        self.is_closed = True
        self.line.close()

    def try_by(self, name: str) -> Callable[[], int]:
        """What someone of that name calls to get a place; it returns how many had one before."""

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
        """A coroutine that asks for a place, begun with the next turn of the loop."""
        return asyncio.ensure_future(self.line.submit(self.try_by(name), timeout))


async def settle() -> None:
    """Let everyone go on as far as they can."""
    for _ in range(10):
        await asyncio.sleep(0)


def run(main: Callable[[], Awaitable[Any]]) -> Any:
    """Run a test's coroutine, in no more than a minute."""

    async def limited() -> Any:
        return await asyncio.wait_for(main(), LONG)

    return asyncio.run(limited())


def test_where_there_is_room_no_one_lines_up() -> None:
    """The engine is not even asked to notify."""
    queue = Queue(places=2)

    async def main() -> list[int]:
        return [await queue.line.submit(queue.try_by(name), LONG) for name in "ab"]

    assert run(main) == [0, 1]
    assert queue.requests == 0


def test_coroutines_are_admitted_in_the_order_in_which_they_came() -> None:
    """One place after the other, and each gets what its own submission returned."""
    queue = Queue()

    async def main() -> list[int]:
        waiting = [queue.submit(name) for name in "abcd"]
        for _ in range(4):
            await settle()
            queue.free()
        return await asyncio.gather(*waiting)

    assert run(main) == [0, 1, 2, 3]
    assert queue.admitted == list("abcd")


def test_who_comes_later_does_not_overtake() -> None:
    """Even where there is room by the time it comes: that is for the first in line."""
    queue = Queue()

    async def main() -> None:
        first = queue.submit("first")
        await settle()
        queue.places = 1  # and the word of it is still on its way
        second = queue.submit("second")
        await settle()
        assert not second.done()
        queue.free()
        await asyncio.gather(first, second)

    run(main)
    assert queue.admitted == ["first", "second"]


def test_a_place_that_someone_else_took_leaves_one_first_in_line() -> None:
    """Threads do not line up here, so they may be faster; then one waits for the next word."""
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


def test_waiting_makes_no_attempts() -> None:
    """There is no polling: one try before lining up, and one for each word of room."""
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
    """With the options that help, and the time that was waited."""
    queue = Queue()

    async def main() -> None:
        with pytest.raises(RknnTimeoutError, match="within 20 ms") as caught:
            await queue.line.submit(queue.try_by("a"), 0.02)
        assert "submit_timeout_ms" in str(caught.value)

    run(main)


def test_one_who_is_late_does_not_take_a_place() -> None:
    """Its caller has given up; the place is for the next one, who is told."""
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


def test_one_who_is_cancelled_passes_the_word_on() -> None:
    """The word that there is room may have been for that one."""
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


def test_an_error_of_the_submission_is_passed_on_and_leaves_the_line() -> None:
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


def test_closing_ends_everyone_in_line() -> None:
    """None of them hangs, and none is admitted."""
    queue = Queue()

    async def main() -> list[Any]:
        waiting = [queue.submit(name) for name in "abc"]
        await settle()
        queue.close()
        return await asyncio.gather(*waiting, return_exceptions=True)

    assert [type(error) for error in run(main)] == [RknnClosedError] * 3
    assert queue.admitted == []


def test_one_line_serves_the_loops_of_several_threads() -> None:
    """The word comes on yet another thread."""
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
    """Its coroutine stays in line until it is collected; waking it is refused by the loop, and nobody else minds."""
    queue = Queue()
    loop = asyncio.new_event_loop()
    abandoned = queue.line.submit(queue.try_by("abandoned"), LONG)

    async def begin() -> None:
        abandoned.send(None)  # up to where it waits

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


def test_a_greenlet_waits_for_the_word() -> None:
    """Here a thread stands for it."""
    queue, results = Queue(), []
    thread = threading.Thread(target=lambda: results.append(queue.line.submit_waiting(queue.try_by("a"), LONG)))
    thread.start()
    assert queue.asked.wait(LONG)
    queue.free()
    thread.join(LONG)
    assert results == [0]


def test_a_greenlet_does_not_line_up_where_there_is_room() -> None:
    """As a coroutine."""
    queue = Queue(places=1)
    assert queue.line.submit_waiting(queue.try_by("a"), LONG) == 0
    assert queue.requests == 0


def test_a_greenlet_that_is_late_leaves_the_line() -> None:
    """Also with a timeout of 0, for not waiting at all."""
    queue = Queue()
    for timeout in (0.0, 0.02):
        with pytest.raises(RknnTimeoutError, match="no worker was free"):
            queue.line.submit_waiting(queue.try_by("late"), timeout)
    queue.places = 1
    assert queue.line.submit_waiting(queue.try_by("next"), 0.0) == 0


def test_closing_ends_a_greenlet_in_line() -> None:
    """It raises as a call does that comes after closing."""
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
