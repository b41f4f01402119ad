# SPDX-License-Identifier: Apache-2.0
"""Series of loads: the knee of a curve, and the highest rate that keeps a deadline.

Each takes a function that measures one load, so that it is the same whoever measures, and is tested without anyone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Callable

import numpy as np

from ...errors import RknnError
from .percentiles import name as percentile_name
from .percentiles import needed, percentiles

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .figures import Figures
    from .load import Load

Measure = Callable[["Load"], "Figures"]

# Shares of the throughput with every worker busy. Above 1 requests pile up, which is what one wants to see.
_SHARES = (0.1, 0.25, 0.4, 0.55, 0.7, 0.8, 0.9, 1.0, 1.1)
_MOST_IN_FLIGHT = 64
_ENOUGH = 1.03  # twice as many in flight that give less than this much more
_CLOSE = 0.02  # the search for a rate ends when it is known this well
_MOST_PROBES = 14


@dataclass(frozen=True)
class Point:
    """One load and what came of it."""

    load: Load
    figures: Figures


def in_flight_sweep(load: Load, measure: Measure) -> Iterator[Point]:
    """Yield the points with 1, 2, 4 ... requests in flight, until more bring nothing."""
    best, without_gain, count = 0.0, 0, 1
    while count <= _MOST_IN_FLIGHT and without_gain < 2:
        this = replace(load, in_flight=count)
        figures = measure(this)
        yield Point(this, figures)
        if figures.interrupted:
            return
        without_gain = without_gain + 1 if figures.throughput < _ENOUGH * best else 0
        best = max(best, figures.throughput)
        count *= 2


def rate_sweep(load: Load, measure: Measure) -> Iterator[Point]:
    """Yield the points at shares of the throughput that the session reaches with every worker busy."""
    full = measure(replace(load, rate=None, in_flight=None))
    for share in _SHARES:
        if full.interrupted or not full.runs:
            return
        this = replace(load, rate=_rounded(share * full.throughput / full.inferences))
        figures = measure(this)
        yield Point(this, figures)
        if figures.interrupted:
            return


def knee(points: Sequence[Point]) -> Point | None:
    """Return the point with the most throughput for its latency: Kleinrock's power, their quotient, is largest there.

    Points whose requests pile up are none: their latency grows for as long as one measures.
    """
    steady = [point for point in points if point.figures.runs and (point.load.rate is None or point.figures.kept_up)]
    if len(steady) < 2:
        return None
    return max(steady, key=lambda point: point.figures.throughput / max(float(point.figures.latency_ms.mean()), 1e-9))


@dataclass(frozen=True)
class DeadlineSearch:
    """The search for the highest rate.

    Attributes:
        points: what was tried, in that order.
        best: the one with the highest rate that kept the deadline; None if none did.
        capacity: the requests a second with every worker busy, above which nothing was tried.
    """

    points: Sequence[Point]
    best: Point | None
    capacity: float


def highest_rate(load: Load, deadline_ms: float, percent: float, measure: Measure) -> DeadlineSearch:
    """Find the highest rate at which the percentile of the latency is within the deadline, by bisection.

    Each rate is offered for as long as the percentile needs samples, at least.

    Raises:
        RknnError: ``load`` allows fewer runs than the percentile needs.
    """
    if load.runs is not None and load.runs < needed(percent):
        least, called = needed(percent), percentile_name(percent)
        raise RknnError(
            f"--runs {load.runs} are too few for {called}, which needs {least}; or take a lower --percentile"
        )
    full = measure(replace(load, rate=None, in_flight=None))
    capacity = full.throughput / full.inferences
    points: list[Point] = []
    best: Point | None = None
    low, high = 0.0, capacity
    rate = high
    while not full.interrupted and capacity and len(points) < _MOST_PROBES:
        this = replace(load, rate=_rounded(rate), seconds=max(load.seconds, 1.2 * needed(percent) / rate))
        figures = measure(this)
        points.append(Point(this, figures))
        if figures.interrupted:
            break
        if keeps(figures, deadline_ms, percent):
            best, low = points[-1], rate
        else:
            high = rate
        if high - low <= _CLOSE * capacity:
            break
        rate = (low + high) / 2
    return DeadlineSearch(points, best, capacity)


def keeps(figures: Figures, deadline_ms: float, percent: float) -> bool:
    """Check if the percentile is within the deadline, and requests do not pile up."""
    found = percentiles(figures.latency_ms, (percent,)).get(percentile_name(percent), np.inf)
    return figures.kept_up and found <= deadline_ms


def _rounded(rate: float) -> float:
    """Round a rate to three digits, so that it can be read and typed."""
    return float(f"{rate:.3g}")
