# SPDX-License-Identifier: Apache-2.0
"""The requests of a model by their kind: cameras, a rate, a trace, or a loop that waits for results.

Random ones are the same for the same seed. Each kind can be spread over several boards: then it says what arrives at
the board that gets most.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace
from typing import Protocol

from ..errors import RknnValueError
from .system import MOST_REQUESTS, Arrivals, ClosedLoop, Load

_NS = 1_000_000_000


class Kind(Protocol):
    """A kind of load."""

    def load(self, duration_ns: int, seed: int) -> Load:
        """Return the requests within that time."""

    def share(self, boards: int) -> Kind:
        """Return what one of several boards gets of it: the one that gets most."""


@dataclass(frozen=True)
class Cameras:
    """Cameras that give frames at equal distances, each with a phase of its own. A frame that finds no room is dropped.

    Attributes:
        fps: of each camera.
        count: of cameras.
        jitter_ms: a frame comes up to so much late.
    """

    fps: float
    count: int = 1
    jitter_ms: float = 0.0

    def load(self, duration_ns: int, seed: int) -> Load:
        """Return the frames of all cameras."""
        _check_number(self.fps * self.count, duration_ns)
        generator, interval = random.Random(seed), _NS / self.fps
        times = []
        for _ in range(self.count):
            moment = generator.random() * interval
            while moment < duration_ns:
                times.append(round(moment + generator.random() * self.jitter_ms * 1e6))
                moment += interval
        return Arrivals(tuple(sorted(times)), drop=True)

    def share(self, boards: int) -> Cameras:
        """Return the cameras of the board that gets most."""
        return replace(self, count=math.ceil(self.count / boards))


@dataclass(frozen=True)
class Rate:
    """Requests at a rate, which wait where there is no room.

    Attributes:
        rate: requests a second.
        poisson: True if they come independent of each other, otherwise at equal distances.
    """

    rate: float
    poisson: bool = False

    def load(self, duration_ns: int, seed: int) -> Load:
        """Return the requests."""
        _check_number(self.rate, duration_ns)
        generator, moment = random.Random(seed), 0.0
        times: list[int] = []
        while True:
            if self.poisson:
                moment += generator.expovariate(self.rate) * _NS
            if moment >= duration_ns:
                return Arrivals(tuple(times))
            times.append(round(moment))
            if not self.poisson:
                moment = len(times) * _NS / self.rate

    def share(self, boards: int) -> Rate:
        """Return an equal part of the rate."""
        return replace(self, rate=self.rate / boards)


@dataclass(frozen=True)
class Trace:
    """Requests at recorded times, in nanoseconds, which wait where there is no room."""

    times_ns: tuple[int, ...]

    def load(self, duration_ns: int, seed: int) -> Load:
        """Return those within the time."""
        return Arrivals(tuple(time for time in self.times_ns if time < duration_ns))

    def share(self, boards: int) -> Trace:
        """Return what the first board gets if they take turns."""
        return Trace(self.times_ns[::boards])


@dataclass(frozen=True)
class Closed:
    """Requests that wait for each other: so many under way, or as many as the queues take."""

    in_flight: int | None = None

    def load(self, duration_ns: int, seed: int) -> Load:
        """Return the loop."""
        return ClosedLoop(self.in_flight)

    def share(self, boards: int) -> Closed:
        """Return the part of one board."""
        return Closed(None if self.in_flight is None else math.ceil(self.in_flight / boards))


def _check_number(rate: float, duration_ns: int) -> None:
    if rate * duration_ns / _NS > MOST_REQUESTS:
        raise RknnValueError(
            f"{rate:g} requests a second for {duration_ns / _NS:g} s are more than {MOST_REQUESTS:,}; plan fewer "
            "seconds, or with several boards"
        )
