# SPDX-License-Identifier: Apache-2.0
"""``run_awaitable`` and ``map_awaitable``, on an event loop for each thread, with cancellation."""

from __future__ import annotations

import asyncio
from typing import Any

from ..actor import Actor, spoil
from ..ledger import Task
from ..sessions import Handle
from .futures import _feeds, _not_wanted, settle


def awaitable(actor: Actor) -> None:
    """Run several coroutines at once, and cancel some of them."""
    handle = actor.handle()
    tasks = [actor.task(handle) for _ in range(actor.draw.randint(1, 6))]
    cancelled = [actor.chance(0.25) for _ in tasks]
    turns = actor.draw.randint(0, 3)
    asyncio.run(_gather(handle, tasks, cancelled, turns))


async def _gather(handle: Handle, tasks: list[Task], cancelled: list[bool], turns: int) -> None:
    calls = [asyncio.ensure_future(_call(handle, task)) for task in tasks]
    for _ in range(turns):
        await asyncio.sleep(0)
    for task, call, cancel in zip(tasks, calls, cancelled):
        if cancel:
            task.may_be_cancelled = True
            call.cancel()
    results = await asyncio.gather(*calls, return_exceptions=True)
    for task, result in zip(tasks, results):
        if isinstance(result, BaseException):
            task.failed(result)
        else:
            task.right(result)


async def _call(handle: Handle, task: Task) -> Any:
    feed = task.feed()
    call = asyncio.ensure_future(handle.session.run_awaitable(None, feed))
    try:
        await asyncio.sleep(0)  # the call is at its first await, and has copied the feed
        spoil(feed)
        return await call
    finally:
        call.cancel()


def stream(actor: Actor) -> None:
    """Read an asynchronous stream, to its end or not."""
    handle, count = actor.handle(), actor.draw.randint(1, 10)
    ordered, leaves = actor.chance(0.6), actor.chance(0.25)
    kinds = [actor.draw.random() for _ in range(count)]
    left = count // 2 if leaves else count + 1
    under_way: list[Task] = []
    errors = asyncio.run(_stream(actor, handle, kinds, under_way, ordered, left))
    for task in list(under_way):
        if errors:
            task.failed(errors.pop())
        else:
            _not_wanted(actor, task, leaves)


async def _stream(
    actor: Actor, handle: Handle, kinds: list[float], under_way: list[Task], ordered: bool, left: int
) -> list[BaseException]:
    errors: list[BaseException] = []
    results = handle.session.map_awaitable(_feeds(actor, handle, kinds, under_way), ordered=ordered)
    for _ in range(left):
        try:
            outputs = await results.__anext__()
        except StopAsyncIteration:
            break
        except Exception as error:
            errors.append(error)
            if ordered:
                under_way.pop(0).failed(errors.pop())
            continue
        settle(actor, under_way, outputs, ordered=ordered)
    await results.aclose()
    return errors
