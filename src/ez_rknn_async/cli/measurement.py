# SPDX-License-Identifier: Apache-2.0
"""The speed of a session: latency of one inference at a time, throughput of as many as the cores take."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable

import numpy as np

from ..errors import RknnError

if TYPE_CHECKING:
    import numpy.typing as npt

    from .._observing.stats import SessionStats
    from ..session import InferenceSession

    Progress = Callable[[float], None]

WARM_UP_RUNS = 3
# Waiting for a worker, setting the inputs, the NPU, getting the outputs, and waiting for the callback.
STAGES = ("queue", "input", "npu", "output", "callback")


@dataclass(frozen=True)
class Measurement:
    """The figures of a session, in milliseconds, and inferences a second."""

    latency_ms: dict[str, float]  # "p50", "p90", "p99", "min", "max"
    latency_runs: int
    throughput: float
    throughput_runs: int
    split_ms: dict[str, float]  # of an inference while every worker is busy: the means of STAGES
    computing: float  # the share of that time for which a worker's inference was on the NPU


def measure(session: InferenceSession, seconds: float, progress: Progress) -> Measurement:
    """Measure a session for about ``seconds``, half of them for latency and half for throughput.

    Latency is the time of ``run()``, one call after the other. Throughput is the rate of ``run_async()`` called as fast
    as its back-pressure allows.
    """
    feed = random_feed(session)
    for _ in range(WARM_UP_RUNS):
        session.run(None, feed)
    latencies = _latencies(session, feed, seconds / 2, lambda share: progress(share / 2))
    before, start = session.stats, time.perf_counter()
    runs, rate, delivered_ms = _throughput(session, feed, seconds / 2, lambda share: progress(0.5 + share / 2))
    split = _means(before, session.stats)
    split["callback"] = max(0.0, delivered_ms - split.pop("total"))
    computing = split["npu"] * runs / (1e3 * (time.perf_counter() - start) * _workers(session))
    percentiles = {f"p{p}": float(np.percentile(latencies, p)) for p in (50, 90, 99)}
    extremes = {"min": float(latencies.min()), "max": float(latencies.max())}
    return Measurement({**percentiles, **extremes}, len(latencies), rate, runs, split, computing)


def random_feed(session: InferenceSession) -> dict[str, npt.NDArray[Any]]:
    """Return random values for every input: they do not change the time."""
    generator = np.random.default_rng(0)
    return {
        i.name: np.zeros(i.shape, np.int64) if i.dtype == "int64" else generator.random(i.shape, np.float32)
        for i in session.get_inputs()
    }


def _latencies(
    session: InferenceSession, feed: dict[str, npt.NDArray[Any]], seconds: float, progress: Progress
) -> npt.NDArray[np.float64]:
    times: list[float] = []
    start = time.perf_counter()
    while (now := time.perf_counter()) < start + seconds or len(times) < WARM_UP_RUNS:
        session.run(None, feed)
        times.append((time.perf_counter() - now) * 1e3)
        progress(min(1.0, (now - start) / seconds))
    return np.array(times)


def _throughput(
    session: InferenceSession, feed: dict[str, npt.NDArray[Any]], seconds: float, progress: Progress
) -> tuple[int, float, float]:
    """Return the number of runs, their rate, and the mean milliseconds from a submission to its callback."""
    finished: list[float] = []
    waited = 0.0
    errors: list[str] = []
    submitted = 0
    all_back = threading.Event()
    still_submitting = True

    def callback(_results: object, submitted_at: float, error: str) -> None:
        nonlocal waited
        finished.append(time.perf_counter())
        waited += finished[-1] - submitted_at
        if error:
            errors.append(error)
        if not still_submitting and len(finished) == submitted:
            all_back.set()

    start = time.perf_counter()
    while (now := time.perf_counter()) < start + seconds or submitted < WARM_UP_RUNS:
        session.run_async(None, feed, callback, now)
        submitted += 1
        progress(min(1.0, (now - start) / seconds))
    still_submitting = False
    if len(finished) < submitted:
        all_back.wait()
    if errors:
        raise RknnError(f"{len(errors)} of {submitted} inferences failed; the first: {errors[0]}")
    return submitted, submitted / (max(finished) - start), 1e3 * waited / submitted


def _workers(session: InferenceSession) -> int:
    (options,) = session.get_provider_options().values()
    per_core: int = options["threads_per_core"]
    return per_core * len(session.stats.cores)


def _means(before: SessionStats, after: SessionStats) -> dict[str, float]:
    """Return the mean of each stage between two snapshots, in milliseconds."""
    means = {}
    for stage, latency in after.latency.items():
        earlier = before.latency[stage]
        runs = latency.count - earlier.count
        means[stage] = (latency.mean * latency.count - earlier.mean * earlier.count) / max(runs, 1)
    return means
