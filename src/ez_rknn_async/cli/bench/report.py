# SPDX-License-Identifier: Apache-2.0
"""The figures as plain values: what ``--json`` prints, ``--save`` keeps, ``--csv`` tabulates and ``--plot`` draws.

Figures are rounded to five digits, which is more than a measurement knows.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

import numpy as np

from .diagnosis import caveat
from .histogram import bins
from .percentiles import USUAL, interval, name, percentiles

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .figures import Figures
    from .host import HostLoad
    from .rows import Result, Row

FORMAT = 1  # of the saved file
_DIGITS = 5
_BLOCKS = 8  # parts of the time, whose differences show the noise
_DRAWN = 2000  # requests whose times are kept for charts


def describe_results(results: Sequence[Result]) -> dict[str, Any]:
    """Return the rows as plain values, with knees and the rates that keep a deadline."""
    rows = [row for result in results for row in result.rows]
    return {
        "modes": [describe_row(row) for row in rows],
        "knees": [_knee(result) for result in results if result.knee is not None],
        "deadlines": [_deadline(result) for result in results if result.search is not None],
        "caveat": caveat(row.saturated.host for row in rows if row.limit.cause != "busy machine") or None,
        "interrupted": any(result.interrupted for result in results),
    }


def describe_row(row: Row) -> dict[str, Any]:
    """Return one row as plain values."""
    one, every, load = row.latency, row.saturated, row.load
    return {
        "model": row.name,
        "mode": row.mode,
        "way": None if load is None else load.way,
        "in_flight": None if load is None else load.in_flight,
        "rate": None if load is None else load.rate,
        "arrivals": load.arrivals if load is not None and load.rate is not None else None,
        "latency_ms": _latency(one),
        "latency_runs": one.runs,
        "confidence_ms": _confidence(one),
        "throughput": rounded(every.throughput),
        "throughput_runs": every.runs,
        "kept_up": every.kept_up if every.offered is not None else None,
        "split_ms": {stage: rounded(time) for stage, time in every.split_ms.items()},
        "computing": rounded(every.computing),
        "callbacks": rounded(every.callback_busy),
        "cores": {
            cores: {"inferences": use.inferences, "busy": rounded(use.busy), "mean_ms": rounded(use.mean_ms)}
            for cores, use in every.cores.items()
        },
        "limit": row.limit.text,
        "cause": row.limit.cause,
        "host": None if every.host is None else _host(every.host),
        "notes": list(every.notes),
        "blocks": _blocks(one, every),
        "histogram": [[rounded(low), rounded(high), count] for low, high, count in bins(one.latency_ms)]
        if one.runs
        else [],
    }


def rounded(value: float) -> float:
    """Return a number with five significant digits."""
    return float(f"{value:.{_DIGITS}g}")


def _latency(figures: Figures) -> dict[str, float]:
    if not figures.runs:
        return {}
    times = figures.latency_ms
    extremes = {"min": float(times.min()), "max": float(times.max()), "mean": float(times.mean())}
    return {key: rounded(value) for key, value in {**percentiles(times), **extremes}.items()}


def _confidence(figures: Figures) -> dict[str, list[float]]:
    """Return the 95 % confidence interval of each percentile."""
    found = {name(percent): interval(figures.latency_ms, percent) for percent in USUAL}
    return {key: [rounded(low), rounded(high)] for key, pair in found.items() if pair for low, high in [pair]}


def _host(host: HostLoad) -> dict[str, Any]:
    clock = host.clock
    return {
        "processors": host.processors,
        "own": rounded(host.own),
        "others": rounded(host.others),
        "waited": rounded(host.waited),
        "npu_mhz": clock and clock.mhz,
        "npu_highest_mhz": clock and clock.highest_mhz,
        "npu_governor": clock and clock.governor,
        "celsius": host.celsius,
        "cooled": host.cooled,
    }


def _blocks(one: Figures, every: Figures) -> dict[str, list[float]]:
    """Return throughput and median latency in each part of the time; fewer parts for fewer runs."""
    blocks: dict[str, list[float]] = {}
    for key, figures in (("throughput", every), ("p50", one)):
        parts = min(_BLOCKS, figures.runs // 3)
        if parts >= 2:
            values = figures.rates(parts) if key == "throughput" else figures.medians(parts)
            blocks[key] = [rounded(float(value)) for value in values if np.isfinite(value)]
    return blocks


def _knee(result: Result) -> dict[str, Any]:
    assert result.knee is not None
    load, figures = result.knee.load, result.knee.figures
    return {
        "mode": result.rows[0].mode,
        "way": load.way,
        "in_flight": load.in_flight,
        "rate": load.rate,
        "throughput": rounded(figures.throughput),
        "mean_ms": rounded(float(figures.latency_ms.mean())),
    }


def _deadline(result: Result) -> dict[str, Any]:
    search = result.search
    assert search is not None
    best = search.best
    return {
        "mode": result.rows[0].mode if result.rows else None,
        "highest_rate": None if best is None else best.load.rate,
        "latency_ms": None if best is None else _latency(best.figures),
        "capacity": rounded(search.capacity),
        "tried": [point.load.rate for point in search.points],
    }


def curve(row: Row) -> list[list[float]]:
    """Return when requests were due and how long they took, in seconds and milliseconds; thinned out evenly."""
    figures = row.latency
    order = np.argsort(figures.due)[:: max(1, figures.runs // _DRAWN)]
    return [[rounded(float(figures.due[i])), rounded(float(figures.latency_ms[i]))] for i in order]


_COLUMNS = ("model", "mode", "way", "in_flight", "rate", "arrivals", "throughput", "throughput_runs", "latency_runs")


def as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the rows as CSV; cells of percentiles that the samples do not carry are empty."""
    latencies = [*map(name, USUAL), "min", "max", "mean"]
    stages = list(rows[0]["split_ms"]) if rows else []
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    headings = [*_COLUMNS, *(f"{key}_ms" for key in latencies), *(f"{stage}_ms" for stage in stages)]
    writer.writerow([*headings, "computing", "cause"])
    for row in rows:
        cells = [row[key] for key in _COLUMNS]
        cells += [row["latency_ms"].get(key) for key in latencies] + [row["split_ms"][stage] for stage in stages]
        writer.writerow([*cells, row["computing"], row["cause"]])
    return text.getvalue()
