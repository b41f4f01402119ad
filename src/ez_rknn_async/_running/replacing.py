# SPDX-License-Identifier: Apache-2.0
"""Fresh contexts for workers that hang inside the runtime."""

from __future__ import annotations

import contextlib
import logging
import threading
from typing import TYPE_CHECKING

from .._runtime.timeouts import within
from ..errors import RknnClosedError, RknnError
from .inflight import Call

if TYPE_CHECKING:
    from .._runtime.context import Context
    from .assembly import Parts
    from .inflight import InFlight

logger = logging.getLogger("ez_rknn_async")


class Replacing:
    """Sets workers aside and gives the engine their successors."""

    def __init__(self, parts: Parts, in_flight: InFlight, load_timeout_ms: int) -> None:
        """Use ``in_flight`` to guard the engine; loading a successor may take ``load_timeout_ms`` (0: no limit)."""
        self._engine, self._lanes, self._direct, self._in_flight = parts.engine, parts.lanes, parts.direct, in_flight
        self._load_timeout_ms = load_timeout_ms

    def set_aside(self, worker: int, tag: int, lane: int) -> None:
        """Replace a worker that hangs with the task of that tag; returns at once."""
        logger.error("worker %d did not return from the runtime; it is set aside and replaced", worker)
        # Not on the delivery thread, which goes on delivering what the other workers finish: loading takes long and, in
        # a faulty runtime, may hang as well. Daemon: nothing waits for it.
        threading.Thread(target=self._replace, args=(worker, tag, lane), name="ez-rknn-replace", daemon=True).start()

    def _replace(self, worker: int, tag: int, lane: int) -> None:
        def prepare(context: Context) -> None:
            if self._direct is not None:
                self._direct.replace(worker, lane, context)

        def replace() -> Context:
            return self._lanes.replace(worker, tag, lane, prepare)

        fresh = None
        try:
            # One that comes too late belongs to the contexts of its lane, and is given back with them.
            fresh = within(self._load_timeout_ms, "replacing a context", replace, lambda _: None)
        except RknnClosedError:
            return
        except RknnError:
            logger.exception("worker %d has no successor", worker)
        # Once the session is closed the engine may be gone; the context is then given back with the others.
        with contextlib.suppress(RknnClosedError), Call(self._in_flight):
            self._engine.replace_worker(worker, fresh.handle if fresh is not None else None)
