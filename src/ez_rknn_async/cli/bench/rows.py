# SPDX-License-Identifier: Apache-2.0
"""Rows of the bench: a mode under one load, or under two, one for the latency and one for the throughput.

Where figures come from is hidden behind :class:`Opened`: a live measurement, or anything else that gives per-request
times.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Callable, Protocol

from . import sweep
from .arguments import SWEEP
from .diagnosis import Limit, diagnose

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from .figures import Figures
    from .load import Load
    from .sweep import DeadlineSearch, Point


class Opened(Protocol):
    """Models that are ready in one mode.

    Attributes:
        mode: its name: ``"schedule=0,1"``.
        threads_per_core: the option in force.
        names: of the models.
    """

    mode: str
    threads_per_core: int
    names: Sequence[str]

    def measure(self, load: Load, progress: Callable[[float], None]) -> list[Figures]:
        """Offer the load to every model at once; return the figures of each."""


@dataclass(frozen=True)
class Row:
    """One model in one mode.

    Attributes:
        name: of the model.
        mode: the mode.
        load: None if latency and throughput have each their own.
        latency: the figures whose latencies count.
        saturated: the figures whose throughput counts; often the same.
        limit: what limits the throughput.
    """

    name: str
    mode: str
    load: Load | None
    latency: Figures
    saturated: Figures
    limit: Limit

    @property
    def interrupted(self) -> bool:
        """True if the user ended one of the measurements."""
        return self.latency.interrupted or self.saturated.interrupted


@dataclass(frozen=True)
class Result:
    """All rows of one mode, and what a series of them has found."""

    rows: Sequence[Row]
    knee: Point | None = None
    search: DeadlineSearch | None = None

    @property
    def interrupted(self) -> bool:
        """True if the user ended it."""
        return any(row.interrupted for row in self.rows)


Progress = Callable[[str], Callable[[float], None]]


def measure_default(opened: Opened, base: Load, progress: Progress) -> Result:
    """Measure latency one request at a time, and throughput with every worker busy: half the time each."""
    single = replace(base, way="run", in_flight=1, seconds=base.seconds / 2, callback_ms=0.0)
    every = replace(base, in_flight=None, seconds=base.seconds / 2, warmup=min(base.warmup, 2))
    latency = opened.measure(single, progress(f"{opened.mode}: latency"))
    if any(figures.interrupted for figures in latency):
        return Result(_rows(opened, None, latency, latency))
    saturated = opened.measure(every, progress(f"{opened.mode}: throughput"))
    # The time of an inference alone is best known from the one-at-a-time half.
    known = [replace(s, alone_ms=lone.split_ms["npu"]) if lone.runs else s for lone, s in zip(latency, saturated)]
    return Result(_rows(opened, None, latency, known))


def measure_loads(opened: Opened, loads: Sequence[Load], progress: Progress) -> Result:
    """Measure each load."""
    rows: list[Row] = []
    for load in loads:
        figures = opened.measure(load, progress(f"{opened.mode}: {load.label}"))
        rows += _rows(opened, load, figures, figures)
        if any(each.interrupted for each in figures):
            break
    return Result(rows)


def measure_sweep(opened: Opened, load: Load, progress: Progress, *, of_rates: bool) -> Result:
    """Measure a series of loads, and find its knee; of several models the first decides."""
    rows: list[Row] = []

    def measure(this: Load) -> Figures:
        figures = opened.measure(this, progress(f"{opened.mode}: {this.label}"))
        if not (of_rates and this.rate is None):
            rows.extend(_rows(opened, this, figures, figures))
        return figures[0]

    points = list((sweep.rate_sweep if of_rates else sweep.in_flight_sweep)(load, measure))
    return Result(rows, knee=sweep.knee(points))


def measure_deadline(opened: Opened, load: Load, deadline_ms: float, percent: float, progress: Progress) -> Result:
    """Find the highest rate that keeps the deadline; of several models, that of the first."""
    rows: list[Row] = []

    def measure(this: Load) -> Figures:
        figures = opened.measure(this, progress(f"{opened.mode}: {this.label}"))
        if this.rate is not None:
            rows.extend(_rows(opened, this, figures, figures))
        return figures[0]

    search = sweep.highest_rate(load, deadline_ms, percent, measure)
    return Result(rows, search=search)


def loads(arguments: argparse.Namespace, base: Load) -> list[Load]:
    """Return the loads that the arguments list: each way at each rate, or with each number in flight."""
    ways = arguments.ways or [base.way]
    if arguments.rate:
        return [replace(base, way=way, rate=rate) for way, rate in itertools.product(ways, arguments.rate)]
    counts = arguments.in_flight or [None]
    return [replace(base, way=way, in_flight=count) for way, count in itertools.product(ways, counts)]


def is_sweep(arguments: argparse.Namespace) -> bool:
    """Check if the arguments ask for a sweep."""
    return SWEEP in (arguments.rate, arguments.in_flight)


def _rows(opened: Opened, load: Load | None, latency: Sequence[Figures], saturated: Sequence[Figures]) -> list[Row]:
    return [
        Row(name, opened.mode, load, one, every, diagnose(every, opened.threads_per_core))
        for name, one, every in zip(opened.names, latency, saturated)
    ]


def first_interrupted(results: Iterator[Result]) -> Iterator[Result]:
    """Yield results until one was interrupted, that one included."""
    for result in results:
        yield result
        if result.interrupted:
            return
