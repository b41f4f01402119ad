# SPDX-License-Identifier: Apache-2.0
"""Every way in which a session ends. The thread that ends one replaces it with a fresh one."""

from __future__ import annotations

from typing import Any

from ez_rknn_async import RknnError

from ..actor import Actor
from ..sessions import Handle
from .pipelines import drain, forget


def close(actor: Actor) -> None:
    """Call ``close()``: everything that was accepted is delivered."""
    _end(actor, actor.handle(), cancel=False)


def close_cancel(actor: Actor) -> None:
    """Call ``close(cancel=True)``: tasks that no worker has taken up are not run."""
    _end(actor, actor.handle(), cancel=True)


def _end(actor: Actor, handle: Handle, *, cancel: bool) -> None:
    first = actor.chance(0.8)  # the fresh session or the end
    if not handle.fate.begin_end(discard=cancel):
        return
    if first:
        actor.sessions.replace(handle)
    handle.session.close(cancel=cancel)
    if not first:
        actor.sessions.replace(handle)
    with handle.frames.lock:
        drain(actor.ledger, handle)
    actor.ledger.count(actor.doing, "done")


def with_block(actor: Actor) -> None:
    """Use a separate session, in a ``with`` block."""
    handle = actor.sessions.open(actor.handle().samples.model)
    tasks = [actor.task(handle) for _ in range(actor.draw.randint(0, 3))]
    futures: list[Any] = []
    with handle.session as session:
        for task in tasks:
            try:
                futures.append((task, session.submit(task.feed())))
            except RknnError as error:
                task.failed(error)
        handle.fate.begin_end()
    for task, future in futures:
        with task.ending():
            task.right(future.result(0))
    actor.ledger.count(actor.doing, "done")


def drop(actor: Actor) -> None:
    """Let go of a session; the last thread to use it closes it."""
    handle = actor.handle()
    if handle.fate.begin_end():
        actor.sessions.replace(handle)
        forget(handle)
        actor.ledger.count(actor.doing, "done")


def drop_cycle(actor: Actor) -> None:
    """Leave a session to the garbage collection."""
    handle = actor.handle()
    if handle.fate.begin_end():
        actor.sessions.replace(handle)
        forget(handle)
        knot: list[Any] = [handle]
        knot.append(knot)
        actor.ledger.count(actor.doing, "done")


def close_in_callback(actor: Actor) -> None:
    """Let a callback close the session that calls it."""
    handle, cancel = actor.handle(), actor.chance(0.3)
    task = actor.task(handle)
    if not handle.fate.begin_end(discard=cancel):
        task.dropped()
        return
    actor.sessions.replace(handle)

    def receive(outputs: Any, _: Any, error: str) -> None:
        if outputs is None:
            task.failed_with(error)
        else:
            task.right(outputs)
        handle.session.close(cancel=cancel)

    try:
        handle.session.run_async(None, task.feed(), receive)
    except RknnError as error:
        task.failed(error)
        handle.session.close(cancel=cancel)
    forget(handle)
    actor.ledger.count(actor.doing, "done")
