# SPDX-License-Identifier: Apache-2.0
"""``run_pipeline`` and ``drain_pipeline``: one thread at a time, each going on where the last one stopped.

An error does not say which frame it is of. So outputs identify their frame: it must be under way, with at most as many
frames in front of it as there were errors.
"""

from __future__ import annotations

from ez_rknn_async import RknnError

from ..actor import Actor, spoil
from ..ledger import Ledger, Task
from ..samples import Array
from ..sessions import Frames, Handle

DEPTH = 3


def pipeline(actor: Actor) -> None:
    """Do a few steps; at times drain the pipeline, or begin it again."""
    handle = actor.handle()
    steps, drains, resets = actor.draw.randint(1, 8), actor.chance(0.3), actor.chance(0.1)
    tasks = [actor.task(handle) for _ in range(steps)]
    if not handle.frames.lock.acquire(blocking=False):
        for task in tasks:
            task.dropped()
        return
    try:
        if handle.frames.are_forgotten:
            for task in tasks:
                task.dropped()
            return
        for task in tasks:
            _step(actor.ledger, handle, task, reset=resets and task is tasks[0])
        # The thread that ends a session drains its pipeline, perhaps before these frames came.
        if drains or handle.fate.is_ending:
            drain(actor.ledger, handle)
    finally:
        handle.frames.lock.release()


def _step(ledger: Ledger, handle: Handle, task: Task, *, reset: bool) -> None:
    frames, feed = handle.frames, task.feed()
    former = list(frames.tasks)
    frames.tasks.append(task)
    try:
        outputs = handle.session.run_pipeline(feed, DEPTH, reset)
    except Exception as error:
        frames.errors.append(error)
        outputs = None
        reset = False  # it is unknown if that was done; if it was, drain() identifies the frames
    spoil(feed)
    if reset:
        for old in former:
            old.dropped()
            frames.tasks.remove(old)
    if outputs is not None:
        _came(ledger, frames, outputs)


def drain(ledger: Ledger, handle: Handle) -> None:
    """Take everything out; afterwards no frame is left."""
    frames = handle.frames
    while True:
        try:
            results = handle.session.drain_pipeline()
        except RknnError as error:
            frames.errors.append(error)
            continue
        break
    for outputs in results:
        _came(ledger, frames, outputs)
    while frames.tasks:
        task = frames.tasks.popleft()
        if frames.errors:
            task.failed(frames.errors.pop(0))
        else:
            ledger.violate(f"{task} was lost by its pipeline")
            task.dropped()
    frames.errors.clear()


def forget(handle: Handle) -> None:
    """Forget the pipeline of a dropped session, for good: a thread that has it still may not go on with it."""
    with handle.frames.lock:
        handle.frames.are_forgotten = True
        while handle.frames.tasks:
            handle.frames.tasks.popleft().dropped()


def _came(ledger: Ledger, frames: Frames, outputs: list[Array]) -> None:
    """Record outputs of a frame: the first, or one behind frames that have failed."""
    sample = frames.tasks[0].samples.identify(outputs) if frames.tasks else None
    if not any(task.sample is sample for task in frames.tasks):
        ledger.violate(f"a pipeline gave outputs of no frame under way, but of {sample}")
        return
    while frames.tasks[0].sample is not sample:
        late = frames.tasks.popleft()
        if frames.errors:
            late.failed(frames.errors.pop(0))
        else:
            ledger.violate(f"{late} was overtaken in its pipeline")
            late.dropped()
    frames.tasks.popleft().right(outputs)
