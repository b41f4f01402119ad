"""How a session's workers are: what a service looks at to see whether it serves, and whether to call ``reset()``."""

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
        cores: which, such as ``"0"`` or ``"0,1,2"``; the names of ``stats.cores``.
        state: ``"ready"``; ``"failing"``: its last task failed, though it may be the device that is not well;
            ``"set aside"``: it did not come back from the runtime within ``run_timeout_ms``, and is being replaced; or
            ``"lost"``: it did not, and the runtime gave no replacement.
        failures: how many tasks in a row have failed, up to the last that it had.
        error: what the last of them failed with, by code and call; None when it did not.
    """

    cores: str
    state: str
    failures: int
    error: RknnError | None


@dataclass(frozen=True)
class SessionHealth:
    """A snapshot.

    Attributes:
        workers: of the session; none once it is closed.
    """

    workers: tuple[WorkerHealth, ...]

    @property
    def ok(self) -> bool:
        """Whether every worker is ready, and there are some."""
        return bool(self.workers) and all(worker.state == "ready" for worker in self.workers)

    @property
    def serving(self) -> bool:
        """Whether any worker is ready."""
        return any(worker.state == "ready" for worker in self.workers)


def read_health(engine: Engine, cores: Sequence[str]) -> SessionHealth:
    """Of the workers of an engine; ``cores`` names those of each group."""
    return SessionHealth(
        tuple(_worker(cores[w.group], WORKER_STATES[w.state], w.failures, w.code, w.call) for w in engine.health())
    )


def faults_of(workers: Sequence[WorkerHealth]) -> str:
    """What is wrong with workers, as ``", of 3 workers 1 lost"``; empty if nothing is."""
    counts = Counter(worker.state for worker in workers)
    wrong = [f"{counts[name]} {name}" for name in ("failing", "set aside", "lost") if counts[name]]
    return f", of {len(workers)} workers {', '.join(wrong)}" if wrong else ""


def _worker(cores: str, state: str, failures: int, code: int, call: int) -> WorkerHealth:
    error = None if code == OK else status.error(code, CALLS[call])
    return WorkerHealth(cores, "failing" if state == "ready" and failures else state, failures, error)
