# SPDX-License-Identifier: Apache-2.0
"""``submit`` and ``map``: futures, cancelled or not, and streams of them."""

from __future__ import annotations

import collections
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

from ez_rknn_async import RknnError

from ..actor import Actor, spoil
from ..ledger import Task
from ..samples import Feed
from ..sessions import Handle

PATIENCE = 300  # seconds; the watchdog is faster


def submit(actor: Actor) -> None:
    """Submit several futures; cancel some, and ask the others in any order."""
    handle, futures = actor.handle(), list[tuple[Task, "Future[Any]"]]()
    for _ in range(actor.draw.randint(1, 8)):
        task, timeout = actor.task(handle), 0 if actor.sessions.scenario.is_limited and actor.chance(0.3) else None
        feed = task.feed()
        try:
            futures.append((task, handle.session.submit(feed, timeout=timeout)))
        except RknnError as error:
            task.failed(error)
        spoil(feed)
    calls: collections.Counter[Task] = collections.Counter()
    for task, future in futures:
        future.add_done_callback(lambda _, task=task: calls.update([task]))  # type: ignore[misc]
    actor.draw.shuffle(futures)
    for task, future in futures:
        end(task, future, cancel=actor.chance(0.2))
    for task, _ in futures:
        if calls[task] > 1:
            actor.ledger.violate(f"{task} told its end {calls[task]} times")


def end(task: Task, future: Future[Any], *, cancel: bool) -> None:
    """Wait for a future, perhaps after cancelling it."""
    task.may_be_cancelled = cancel
    was_cancelled = cancel and future.cancel()
    with task.ending():
        outputs = future.result(PATIENCE)
        if was_cancelled:
            raise AssertionError("a future that was cancelled has a result")
        task.right(outputs)


def stream(actor: Actor) -> None:
    """Read ``map``, in order or not, to its end or not."""
    handle, count = actor.handle(), actor.draw.randint(1, 12)
    ordered, leaves = actor.chance(0.6), actor.chance(0.2)
    kinds = [actor.draw.random() for _ in range(count)]
    left = count // 2 if leaves else count + 1
    under_way: list[Task] = []
    results = handle.session.map(_feeds(actor, handle, kinds, under_way), ordered=ordered)
    errors: list[BaseException] = []
    for _ in range(left):
        try:
            outputs = next(results)
        except StopIteration:
            break
        except Exception as error:
            errors.append(error)
            if ordered:
                under_way.pop(0).failed(errors.pop())
            continue
        settle(actor, under_way, outputs, ordered=ordered)
    results.close()
    for task in list(under_way):
        if errors:
            task.failed(errors.pop())
        else:
            _not_wanted(actor, task, leaves)


def settle(actor: Actor, under_way: list[Task], outputs: Any, *, ordered: bool) -> None:
    """Match outputs to the first task under way or, without order, to any."""
    task = under_way[0]
    if not ordered:
        sample = task.samples.identify(outputs)
        task = next((task for task in under_way if task.sample is sample), task)
    under_way.remove(task)
    task.right(outputs)


def _not_wanted(actor: Actor, task: Task, leaves: bool) -> None:
    if not leaves:
        actor.ledger.violate(f"{task} was lost by its stream")
    task.dropped()


def _feeds(actor: Actor, handle: Handle, draws: list[float], under_way: list[Task]) -> Iterator[Feed]:
    """Yield feeds whose tasks begin when the stream takes them."""
    for draw in draws:
        kinds = sorted(handle.samples.by_kind)
        task = actor.ledger.begin(actor.doing, handle.fate, handle.samples, kinds[int(draw * len(kinds))])
        under_way.append(task)
        yield task.feed()
