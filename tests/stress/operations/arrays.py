# SPDX-License-Identifier: Apache-2.0
"""Runs that wait."""

from __future__ import annotations

import numpy as np

from ..actor import Actor


def run(actor: Actor) -> None:
    """Run one inference, at times into the caller's arrays."""
    handle = actor.handle()
    task, into = actor.task(handle), actor.chance(0.3)
    given = None
    if into:
        names = handle.session.output_names
        given = {name: np.full_like(array, np.nan) for name, array in zip(names, task.sample.outputs)}
    with task.ending():
        outputs = handle.session.run(None, task.feed(), outputs=given)
        if given is not None and any(a is not b for a, b in zip(outputs, given.values())):
            actor.ledger.violate(f"{task} did not return the arrays that it was given")
        task.right(outputs)


def batch(actor: Actor) -> None:
    """Run several samples as one batch. If one fails, so do all."""
    handle, count = actor.handle(), actor.draw.randint(2, 5)
    kind = actor.kind(handle)
    tasks = [actor.task(handle, kind=kind) for _ in range(count)]
    first = tasks[0].sample
    for task in tasks[1:]:
        if not _go_together(first.feed, task.sample.feed):
            task.dropped()
    tasks = [task for task in tasks if task is tasks[0] or _go_together(first.feed, task.sample.feed)]
    feed = {name: np.concatenate([task.sample.feed[name] for task in tasks]) for name in first.feed}
    try:
        joined = handle.session.run(None, feed, {"ztu_modelrt_dispatch_batch": True})
    except Exception as error:
        for task in tasks:
            task.failed(error)
        return
    parts = [np.split(output, len(tasks)) for output in joined]
    for index, task in enumerate(tasks):
        task.right([part[index] for part in parts])


def _go_together(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return all(array.shape == other[name].shape and array.dtype == other[name].dtype for name, array in one.items())


def look(actor: Actor) -> None:
    """Read what can be read at any time."""
    session = actor.handle().session
    health = session.health
    stats = session.stats
    if len(session.get_inputs()) != len(session.input_names) or stats.seconds < 0 or len(health.workers) > 6:
        actor.ledger.violate(f"looking at a session gave {stats}, {health}")
    actor.ledger.count("look", "done")
