# SPDX-License-Identifier: Apache-2.0
"""``reset()`` and ``set_providers()`` while all others go on; within seconds, under any load."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from ez_rknn_async import RknnError

from ..actor import Actor
from ..sessions import Handle


def reset(actor: Actor) -> None:
    """Load the model again."""
    handle = actor.handle()
    with _exchanging(actor, handle):
        handle.session.reset()


def set_providers(actor: Actor) -> None:
    """Load it again with other options."""
    handle, variant = actor.handle(), actor.draw.choice(actor.sessions.scenario.variants)
    with _exchanging(actor, handle):
        handle.session.set_providers(None, actor.sessions.options(variant))


def recover(actor: Actor) -> None:
    """Recover like a service that watches its device."""
    handle = actor.handle()
    if any(worker.state != "ready" for worker in handle.session.health.workers):
        with _exchanging(actor, handle):
            handle.session.reset()


@contextlib.contextmanager
def _exchanging(actor: Actor, handle: Handle) -> Iterator[None]:
    began = time.monotonic()
    try:
        yield
    except RknnError as error:
        if not handle.fate.excuses(error):
            actor.ledger.violate(f"{actor.doing} raised without a reason: {error!r}")
        actor.ledger.count(actor.doing, type(error).__name__)
    else:
        actor.ledger.count(actor.doing, "done")
    actor.sessions.took(actor.doing, time.monotonic() - began)
