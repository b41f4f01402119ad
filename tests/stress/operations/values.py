# SPDX-License-Identifier: Apache-2.0
"""Values that one thread creates and another reads, binds or drops; also long after their session is closed."""

from __future__ import annotations

import gc
from typing import Any

from ez_rknn_async import RknnError

from ..actor import Actor
from ..sessions import Handle, Kept
from .bindings import keep, npu_inputs


def shared(actor: Actor) -> None:
    """Run with input values that other threads may be using at this moment."""
    handle, kept = actor.handle(), actor.sessions.look_at_kept(actor.draw)
    if kept is None or kept.samples is not handle.samples:
        _make(actor, handle)
        return
    task = actor.ledger.begin(actor.doing, handle.fate, handle.samples, kept.sample.kind, kept.sample)
    with task.ending():
        binding = handle.session.io_binding()
        for name, value in kept.inputs.items():
            binding.bind_ortvalue_input(name, value)
        handle.session.run_with_iobinding(binding)
        task.right(binding.copy_outputs_to_cpu())


def _make(actor: Actor, handle: Handle) -> None:
    """Leave values for other threads."""
    task = actor.task(handle)
    binding = None
    with task.ending():
        binding = handle.session.io_binding()
        for name, value in npu_inputs(handle, task.sample.feed).items():
            binding.bind_ortvalue_input(name, value)
        handle.session.run_with_iobinding(binding)
        keep(actor, handle, binding, task)
        task.right(binding.copy_outputs_to_cpu())


def read(actor: Actor) -> None:
    """Check that the written numbers are there, whatever happened to the session."""
    kept = actor.sessions.look_at_kept(actor.draw)
    if kept is None:
        return
    try:
        difference = kept.sample.differs([value.numpy() for value in kept.outputs])
    except RknnError as error:
        if not actor.sessions.scenario.fails:
            actor.ledger.violate(f"a value could not be read: {error!r}")
        return
    if difference:
        actor.ledger.violate(f"a value of {kept.samples.model} has changed: {difference}")
    actor.ledger.count(actor.doing, "wrong" if difference else "right")


def drop(actor: Actor) -> None:
    """Be the last to have values."""
    for _ in range(actor.draw.randint(1, 4)):
        actor.sessions.take_kept()
    actor.ledger.count(actor.doing, "done")


def cycle(actor: Actor) -> None:
    """Leave values to the garbage collection, which comes on any thread."""
    kept: Kept | None = actor.sessions.take_kept()
    knot: list[Any] = [kept]
    knot.append(knot)
    actor.ledger.count(actor.doing, "done")


def collect(actor: Actor) -> None:
    """Collect garbage, here and now."""
    gc.collect()
    actor.ledger.count(actor.doing, "done")
