# SPDX-License-Identifier: Apache-2.0
"""What a simulation says: the times of each request, and the use of each core."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from .system import Model, System

    Nanoseconds = npt.NDArray[np.int64]


@dataclass(frozen=True)
class CoreTimes:
    """A core: the inferences that used it, and the nanoseconds for which it was occupied."""

    runs: int
    busy_ns: int


@dataclass(frozen=True)
class GroupTimes:
    """A session's workers on one core, or on cores that work together, and for how long they had a task."""

    workers: int
    completed: int
    busy_ns: int


@dataclass(frozen=True, eq=False)
class Requests:
    """The requests of one model that were answered, in the order of delivery; times in nanoseconds.

    Attributes:
        model: as it was planned.
        due: when the request came.
        submitted: when it was admitted to a queue.
        started: when a worker took it up.
        begun: when it had its cores for the first time.
        ended: when it left them for the last time.
        finished: when its outputs were converted.
        delivered: when its callback began, or its caller returned.
        groups: the workers, by the names of their cores.
        dropped: the requests that found no room.
    """

    model: Model
    due: Nanoseconds
    submitted: Nanoseconds
    started: Nanoseconds
    begun: Nanoseconds
    ended: Nanoseconds
    finished: Nanoseconds
    delivered: Nanoseconds
    groups: Mapping[str, GroupTimes]
    dropped: int = 0

    @property
    def count(self) -> int:
        """The number of requests that were answered."""
        return len(self.delivered)

    @property
    def latency_ns(self) -> Nanoseconds:
        """The time of each request, from when it was due."""
        return self.delivered - self.due

    def percentile_ms(self, percent: float) -> float:
        """Return the latency, in milliseconds, within which so many percent of requests were answered."""
        return float(np.percentile(self.latency_ns, percent)) / 1e6 if self.count else float("nan")

    @property
    def late(self) -> int:
        """The number of requests that were answered after the deadline, or dropped."""
        if self.model.deadline_ns is None:
            return 0
        return int((self.latency_ns > self.model.deadline_ns).sum()) + self.dropped

    def mean_ms(self, begin: str, end: str) -> float:
        """Return the mean time between two of the times, in milliseconds."""
        return float((getattr(self, end) - getattr(self, begin)).mean()) / 1e6 if self.count else 0.0


@dataclass(frozen=True, eq=False)
class Result:
    """What became of a system.

    Attributes:
        system: that was simulated.
        end_ns: when the last result was delivered.
        requests: of each model.
        cores: of the board.
    """

    system: System
    end_ns: int
    requests: tuple[Requests, ...]
    cores: tuple[CoreTimes, ...]

    def throughput(self, requests: Requests) -> float:
        """Return the inferences a second of one of the models."""
        last = int(requests.delivered.max()) if requests.count else 0
        return requests.count * requests.model.times.inferences * 1e9 / last if last else 0.0

    def busy(self, core: int) -> float:
        """Return the share of the time for which a core was occupied."""
        return self.cores[core].busy_ns / self.end_ns if self.end_ns else 0.0
