# SPDX-License-Identifier: Apache-2.0
"""The line of coroutines before a full queue, with loops that stop and never come back."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator

import pytest

from ez_rknn_async import RknnTimeoutError
from ez_rknn_async._running.async_admission import Admission


class Engine:
    """Has no room until the test says so."""

    def __init__(self) -> None:
        self.is_full = True
        self.line = Admission(lambda: None)

    def try_submit(self) -> int:
        if self.is_full:
            raise RknnTimeoutError("full")
        return 1

    def waiting(self, loop: asyncio.AbstractEventLoop) -> asyncio.Task[int]:
        """Return a coroutine that waits in line, in a loop that has stopped."""
        task = loop.create_task(self.line.submit(self.try_submit, 60))
        loop.run_until_complete(asyncio.sleep(0))
        return task

    async def admitted(self) -> int:
        """Line up, and have room made."""
        task = asyncio.ensure_future(self.line.submit(self.try_submit, 60))
        await asyncio.sleep(0)
        self.is_full = False
        self.line.room()
        return await task


@pytest.fixture
def former() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def test_a_closed_loop_holds_up_no_other(former: asyncio.AbstractEventLoop) -> None:
    """A coroutine that it left in the line never takes its turn, and gives up its place."""
    engine = Engine()
    engine.waiting(former)
    former.close()
    assert asyncio.run(engine.admitted()) == 1
    gc.collect()
    assert not engine.line.has_line()


def test_a_stopped_loop_holds_up_no_other(former: asyncio.AbstractEventLoop) -> None:
    """Its coroutine takes its turn when it runs again, and was woken once, however often there was room."""
    engine = Engine()
    task = engine.waiting(former)
    assert asyncio.run(engine.admitted()) == 1
    for _ in range(100):
        engine.line.room()
    assert len(former._ready) <= 2  # type: ignore[attr-defined]
    assert former.run_until_complete(task) == 1
    assert not engine.line.has_line()
