# SPDX-License-Identifier: Apache-2.0
"""What one load did to one model: the times of each request, and the use of the cores.

This is the seam of the bench. Figures come from a live measurement of a session or from a simulation of one in virtual
time; everything that is said about them, from percentiles to the verdict, is made of these values alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from .host import HostLoad

    Times = npt.NDArray[np.float64]

# Waiting for a worker, setting the inputs, the NPU, getting the outputs, and waiting for the callback.
STAGES = ("queue", "input", "npu", "output", "callback")


@dataclass(frozen=True)
class CoreUse:
    """One core, or the cores that work together.

    Attributes:
        inferences: that it completed.
        busy: the share of the time for which a worker of it was occupied.
        mean_ms: of an inference: conversions and NPU.
    """

    inferences: int
    busy: float
    mean_ms: float


@dataclass(frozen=True)
class Figures:
    """The figures of one load.

    Attributes:
        due: when each request was to start, in seconds since the measurement began, in no particular order. A request
            that could not be submitted when it was due has waited from then on.
        finished: when its result was there.
        inferences: the number of inferences in each request.
        offered: the requests a second that the load asked for; None if each one waited for another.
        in_flight: the requests that the load kept under way; None: as many as the session takes.
        split_ms: the mean of each of :data:`STAGES`.
        alone_ms: the NPU's mean time for an inference while nothing else ran; None if that is not known.
        cores: by name, such as ``"0"`` or ``"0,1,2"``.
        workers: the threads that keep the cores busy.
        callback_busy: the share of the time that was spent inside callbacks.
        host: of this machine meanwhile; None in virtual time, which no other program disturbs.
        interrupted: True if the user ended the measurement early.
    """

    due: Times
    finished: Times
    inferences: int
    offered: float | None
    in_flight: int | None
    split_ms: Mapping[str, float]
    alone_ms: float | None
    cores: Mapping[str, CoreUse]
    workers: int
    callback_busy: float = 0.0
    host: HostLoad | None = None
    interrupted: bool = False
    notes: tuple[str, ...] = field(default=())

    @property
    def runs(self) -> int:
        """The number of requests."""
        return len(self.finished)

    @property
    def seconds(self) -> float:
        """The time from the beginning to the last result."""
        return float(self.finished.max()) if self.runs else 0.0

    @property
    def latency_ms(self) -> Times:
        """The time of each request, from when it was due."""
        return (self.finished - self.due) * 1e3

    @property
    def throughput(self) -> float:
        """The inferences a second."""
        return self.runs * self.inferences / self.seconds if self.seconds else 0.0

    @property
    def computing(self) -> float:
        """The share of the time for which a worker's inference was on the NPU."""
        total = self.seconds * self.workers
        busy = self.split_ms["npu"] / 1e3 * self.runs * self.inferences
        return min(1.0, busy / total) if total else 0.0

    @property
    def kept_up(self) -> bool:
        """True if requests did not pile up: at the end hardly one waited, or the last results came soon after."""
        if not self.runs:
            return False
        last = float(self.due.max())
        if (self.finished > last).sum() <= max(2, self.workers):
            return True
        late = self.seconds - last
        return late <= max(0.05 * self.seconds, 3 * float(np.median(self.latency_ms[: self.runs // 4 + 1])) / 1e3)

    def rates(self, blocks: int) -> Times:
        """Return the inferences a second in each of several equal parts of the time."""
        counts, _ = np.histogram(self.finished, bins=blocks, range=(0.0, self.seconds or 1.0))
        return counts * self.inferences * blocks / (self.seconds or 1.0)

    def medians(self, blocks: int) -> Times:
        """Return the median latency in each of several equal parts of the time; NaN where nothing finished."""
        part = np.minimum((self.finished / (self.seconds or 1.0) * blocks).astype(int), blocks - 1)
        latency = self.latency_ms
        return np.array([np.median(latency[part == i]) if (part == i).any() else np.nan for i in range(blocks)])
