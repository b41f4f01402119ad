# SPDX-License-Identifier: Apache-2.0
"""A session's statistics: always on, cheap to keep."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .._host import greenlets
from .._runtime.engine import STAGES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .._runtime.engine import Engine


@dataclass(frozen=True)
class CoreStats:
    """One core, or the cores that work together.

    Attributes:
        queued: the tasks that wait for it now.
        running: the tasks that it runs now.
        completed, failed, cancelled: the tasks that ended so.
        stalled: the number of times that a worker did not return from the runtime and was set aside.
        busy_seconds: the time that its workers were occupied, summed over them.
        utilization: that time as a share of the session's age; above 1 with several workers.
    """

    queued: int
    running: int
    completed: int
    failed: int
    cancelled: int
    stalled: int
    busy_seconds: float
    utilization: float


@dataclass(frozen=True)
class Latency:
    """The time of one stage, in milliseconds, over the tasks that succeeded. Percentiles are accurate to 5 %."""

    count: int
    mean: float
    p50: float
    p90: float
    p99: float
    max: float


@dataclass(frozen=True)
class SessionStats:
    """A snapshot.

    Attributes:
        seconds: the session's age.
        cores: by the cores' name, such as ``"0"`` or ``"0,1,2"``.
        latency: by stage: ``"queue"``, ``"input"`` (conversion), ``"npu"``, ``"output"`` (conversion), ``"total"``.
        memory: what one context takes, in bytes: ``"weights"``, ``"internal"``, ``"dma"``; queried when it was opened.
    """

    seconds: float
    cores: Mapping[str, CoreStats]
    latency: Mapping[str, Latency]
    memory: Mapping[str, int]


class StatsReader:
    """Reads the statistics of one engine; after its end, the last snapshot."""

    def __init__(self, engine: Engine, cores: Sequence[str], memory: Mapping[str, int]) -> None:
        self._engine = engine
        self._cores = tuple(cores)
        self._memory = memory
        self._start = time.monotonic()
        self._lock = greenlets.lock()  # guards _last against the engine's end
        self._last: SessionStats | None = None

    def read(self) -> SessionStats:
        """Return a present snapshot, or the last one."""
        with self._lock:
            return self._last if self._last is not None else self._read()

    def freeze(self) -> None:
        """Take the last snapshot: the engine is about to be destroyed."""
        with self._lock:
            self._last = self._read()

    def _read(self) -> SessionStats:
        seconds = time.monotonic() - self._start
        groups, stages = self._engine.stats()
        return SessionStats(
            seconds,
            {name: _core(group, seconds) for name, group in zip(self._cores, groups)},
            {name: _latency(stage) for name, stage in zip(STAGES, stages)},
            self._memory,
        )


def _core(group: Any, seconds: float) -> CoreStats:
    busy = group.busy_ns / 1e9
    return CoreStats(
        group.queued,
        group.running,
        group.completed,
        group.failed,
        group.cancelled,
        group.stalled,
        busy,
        busy / seconds if seconds > 0 else 0.0,
    )


def _latency(stage: Any) -> Latency:
    mean = stage.sum_ns / stage.count if stage.count else 0.0
    return Latency(stage.count, *(ns / 1e6 for ns in (mean, stage.p50_ns, stage.p90_ns, stage.p99_ns, stage.max_ns)))
