# SPDX-License-Identifier: Apache-2.0
"""What ``ezrknn bench`` makes of figures: percentiles, histograms, knees, deadlines, verdicts."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ez_rknn_async.cli.bench import against, sweep
from ez_rknn_async.cli.bench.figures import Figures
from ez_rknn_async.cli.bench.histogram import bins, histogram
from ez_rknn_async.cli.bench.load import Load, arrivals
from ez_rknn_async.cli.bench.percentiles import interval, needed, percentiles
from ez_rknn_async.errors import RknnError

from .figures import figures


def test_a_percentile_needs_samples_beyond_it() -> None:
    """Of 40 samples the 99th percentile is the largest, by chance."""
    assert [needed(percent) for percent in (50, 90, 99, 99.9)] == [4, 35, 381, 3838]
    assert list(percentiles(np.arange(40.0))) == ["p50", "p90"]
    assert list(percentiles(np.arange(381.0))) == ["p50", "p90", "p99"]
    assert percentiles(np.arange(3.0)) == {}


def test_the_interval_of_a_percentile_holds_it_in_95_of_100_measurements() -> None:
    """Of an exponential distribution, whose tail is long."""
    generator, true = np.random.default_rng(1), -np.log(0.1)
    pairs = (interval(generator.exponential(size=400), 90) for _ in range(2000))
    held = sum(low <= true <= high for low, high in filter(None, pairs))
    assert 1860 <= held <= 1980
    assert interval(np.arange(34.0), 90) is None


def test_a_histogram_counts_every_sample_once() -> None:
    """The tail has a row of its own, so that it does not flatten the others."""
    times = np.concatenate([np.linspace(1, 2, 995), [50, 60, 70, 80, 90]])
    rows = bins(times)
    assert sum(count for *_, count in rows) == 1000
    assert rows[-1][1] == 90
    assert rows[-2][1] < 3
    assert len(histogram(times).splitlines()) == len(rows)
    assert bins(np.full(5, 2.0)) == [(2.0, 2.0, 5)]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_histogram_fits_the_terminal(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bars are as long as there is room."""
    monkeypatch.setenv("COLUMNS", str(width))
    drawn = histogram(np.random.default_rng(0).exponential(size=10_000) * 1e4)
    assert max(map(len, drawn.splitlines())) <= width


def test_arrivals_are_those_of_the_rate() -> None:
    """Equal distances, or independent ones with that mean; the same for the same seed."""
    fixed = list(itertools.islice(arrivals(Load(rate=100, arrivals="fixed")), 5))
    assert fixed == pytest.approx([0, 0.01, 0.02, 0.03, 0.04])
    first, again, other = (
        np.array(list(itertools.islice(arrivals(Load(rate=100, seed=seed)), 10_000))) for seed in (1, 1, 2)
    )
    assert (first == again).all()
    assert (first != other).any()
    gaps = np.diff(first)
    assert gaps.mean() == pytest.approx(0.01, rel=0.05)
    assert gaps.std() == pytest.approx(0.01, rel=0.05)  # an exponential distribution's own


def served(load: Load, service_ms: float = 10.0) -> Figures:
    """One server with a constant service time: what a queue's textbook has."""
    if load.rate is None:
        count = load.in_flight or 4
        full = figures(2000, service_ms, service_ms * count)
        return replace(full, in_flight=load.in_flight)
    due = np.array(list(itertools.takewhile(lambda at: at < 40, arrivals(load))))
    finished, free = np.empty_like(due), 0.0
    for number, at in enumerate(due):
        free = max(free, at) + service_ms / 1e3
        finished[number] = free
    return replace(figures(), due=due, finished=finished, offered=load.rate)


def test_more_in_flight_than_one_server_serves_is_beyond_the_knee() -> None:
    """Throughput stays, latency grows: the sweep ends, and one is enough."""
    points = list(sweep.in_flight_sweep(Load(), served))
    assert [point.load.in_flight for point in points] == [1, 2, 4]
    found = sweep.knee(points)
    assert found is not None
    assert found.load.in_flight == 1


def test_the_knee_of_random_arrivals_is_that_of_the_textbook() -> None:
    """Of M/D/1 the power, throughput by latency, is largest at a load of 2 - sqrt 2 = 0.586."""
    points = list(sweep.rate_sweep(Load(), served))
    found = sweep.knee(points)
    assert found is not None
    assert found.load.rate in (55.0, 70.0)
    assert not points[-1].figures.kept_up  # more than the server can
    assert sweep.knee(points[:1]) is None


def test_finds_the_highest_rate_that_keeps_a_deadline() -> None:
    """By M/D/1 the mean wait at load r is r / (2 (1 - r)) services; the percentile is measured again at the end."""
    search = sweep.highest_rate(Load(), 30.0, 90.0, served)
    assert search.best is not None
    assert search.capacity == pytest.approx(100, rel=0.02)
    assert 55 < (search.best.load.rate or 0) < 90
    assert percentiles(search.best.figures.latency_ms, (90.0,))["p90"] <= 30
    above = [p for p in search.points if (p.load.rate or 0) > (search.best.load.rate or 0)]
    assert above
    assert not any(sweep.keeps(point.figures, 30.0, 90.0) for point in above)


def test_no_rate_keeps_an_impossible_deadline() -> None:
    """The search ends all the same."""
    assert sweep.highest_rate(Load(), 5.0, 90.0, served).best is None


def test_a_search_refuses_fewer_runs_than_its_percentile_needs() -> None:
    """It says how many."""
    with pytest.raises(RknnError, match="needs 381"):
        sweep.highest_rate(Load(runs=100), 5.0, 99.0, served)


def row(throughput: float, p50: float, spread: float = 0.01) -> dict[str, Any]:
    """A row with some noise in its blocks."""
    noise = 1 + spread * np.array([-1, 1, -1, 1, -1, 1, -1, 1])
    identity: dict[str, Any] = {"model": "m", "mode": "schedule=0", "way": None, "in_flight": None, "rate": None}
    return {
        **identity,
        "arrivals": None,
        "host": {},
        "throughput": throughput,
        "latency_ms": {"p50": p50},
        "blocks": {"throughput": (throughput * noise).tolist(), "p50": (p50 * noise).tolist()},
    }


@pytest.mark.parametrize(
    ("old", "new", "tolerance", "verdicts"),
    [
        (row(100, 10), row(100, 10), 5, ["the same", "the same"]),
        (row(100, 10), row(97, 10.3), 5, ["the same", "the same"]),
        (row(100, 10), row(90, 11.2), 5, ["WORSE", "WORSE"]),
        (row(100, 10), row(120, 8), 5, ["better", "better"]),
        (row(100, 10), row(90, 10), 5, ["WORSE", "the same"]),
        (row(100, 10, 0.2), row(90, 10, 0.2), 5, ["cannot say", "cannot say"]),
        (row(100, 10, 0.2), row(40, 10, 0.2), 5, ["WORSE", "cannot say"]),
        (row(100, 10), row(90, 10), 15, ["the same", "the same"]),
        (row(100, 10, 0), row(99.9, 10, 0), 0, ["WORSE", "the same"]),
        (row(100, 10, 0), row(100, 10, 0), 0, ["the same", "the same"]),
    ],
)
def test_a_verdict_needs_more_than_tolerance_and_noise(
    old: dict[str, Any], new: dict[str, Any], tolerance: float, verdicts: list[str]
) -> None:
    """Where noise is larger than the tolerance, equal figures prove nothing."""
    compared = list(against.compared_row("x", old, new, tolerance))
    assert [each.verdict for each in compared] == verdicts


def test_a_verdict_is_seldom_wrong_on_noise_alone() -> None:
    """Two measurements of one thing: of 500 pairs at three levels of noise hardly one may be called worse."""
    generator = np.random.default_rng(3)

    def measured(spread: float) -> dict[str, Any]:
        blocks = generator.normal(100, 100 * spread, 8)
        return {**row(100, 10), "throughput": float(blocks.mean()), "blocks": {"throughput": blocks.tolist()}}

    for spread in (0.01, 0.05, 0.2):
        pairs = ((measured(spread), measured(spread)) for _ in range(500))
        verdicts = [next(against.compared_row("x", old, new, 2.0)).verdict for old, new in pairs]
        assert verdicts.count("WORSE") <= 5
