# SPDX-License-Identifier: Apache-2.0
"""What a session is asked to do: how many requests at a time, or at which rate, in which way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

WAYS = ("run", "run_async", "submit", "map", "asyncio", "bindings")
ARRIVALS = ("poisson", "fixed")


@dataclass(frozen=True)
class Load:
    """A load.

    Attributes:
        way: one of :data:`WAYS`.
        in_flight: the requests under way at once; None: as many as the session takes.
        rate: the requests a second, whether the earlier ones are done or not; None: the next follows when one is done.
        arrivals: one of :data:`ARRIVALS`, for a rate.
        seconds: the time to offer it.
        runs: the number of requests after which it ends even before; None: no limit.
        warmup: runs before, one after the other, that do not count.
        batch: the samples in each request; None: one inference, as the model was compiled.
        callback_ms: the time that the processor works on each result.
        seed: of the arrivals.
    """

    way: str = "run"
    in_flight: int | None = None
    rate: float | None = None
    arrivals: str = "poisson"
    seconds: float = 2.0
    runs: int | None = None
    warmup: int = 10
    batch: int | None = None
    callback_ms: float = 0.0
    seed: int = 0

    @property
    def label(self) -> str:
        """The load in a few words: ``"submit, 4 in flight"``."""
        if self.rate is not None:
            return f"{self.way}, {self.rate:g}/s {self.arrivals}"
        return f"{self.way}, {'all' if self.in_flight is None else self.in_flight} in flight"


def arrivals(load: Load) -> Iterator[float]:
    """Yield when requests are due, in seconds: at equal distances, or independent of each other (Poisson).

    Endless, and the same for the same seed.
    """
    if load.rate is None:
        raise ValueError("only a rate has arrivals")
    if load.arrivals == "fixed":
        number = 0
        while True:
            yield number / load.rate
            number += 1
    generator, now = np.random.default_rng(load.seed), 0.0
    while True:
        now += float(generator.exponential(1 / load.rate))
        yield now
