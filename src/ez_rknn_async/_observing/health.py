# SPDX-License-Identifier: Apache-2.0
"""The health of a session's workers, for services to check whether they can serve, or should call ``reset()``."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .._runtime import status
from .._runtime.engine import OK, WORKER_STATES
from .._runtime.task import CALLS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._runtime.engine import Engine
    from ..errors import RknnError


@dataclass(frozen=True)
class WorkerHealth:
    """One worker: a thread with a context on its cores.

    Attributes:
        cores: its cores, such as ``"0"`` or ``"0,1,2"``; the names of ``stats.cores``.
        state: ``"ready"``; ``"failing"``: its last task failed, though the fault may be the device's; ``"set aside"``:
            it did not return from the runtime within ``run_timeout_ms``, and is being replaced; or ``"lost"``: it did
            not, and could not be replaced.
        failures: the number of tasks in a row that have failed, up to its last one.
        error: the failure of its last task, by code and call; None if it succeeded.
    """

    cores: str
    state: str
    failures: int
    error: RknnError | None


@dataclass(frozen=True)
class SessionHealth:
    """A snapshot.

    Attributes:
        workers: those of the session; none once it is closed.
    """

    workers: tuple[WorkerHealth, ...]

    @property
    def ok(self) -> bool:
        """True if every worker is ready, and there are some."""
        return bool(self.workers) and all(worker.state == "ready" for worker in self.workers)

    @property
    def serving(self) -> bool:
        """True if any worker is ready."""
        return any(worker.state == "ready" for worker in self.workers)


def read_health(engine: Engine, cores: Sequence[str]) -> SessionHealth:
    """Return the health of an engine's workers; ``cores`` names the cores of each group."""
    return SessionHealth(
        tuple(_worker(cores[w.group], WORKER_STATES[w.state], w.failures, w.code, w.call) for w in engine.health())
    )


def faults_of(workers: Sequence[WorkerHealth]) -> str:
    """Return what is wrong with workers, as ``", of 3 workers 1 lost"``; empty if nothing is."""
    counts = Counter(worker.state for worker in workers)
    wrong = [f"{counts[name]} {name}" for name in ("failing", "set aside", "lost") if counts[name]]
    return f", of {len(workers)} workers {', '.join(wrong)}" if wrong else ""


def _worker(cores: str, state: str, failures: int, code: int, call: int) -> WorkerHealth:
    error = None if code == OK else status.error(code, CALLS[call])
    return WorkerHealth(cores, "failing" if state == "ready" and failures else state, failures, error)
