# SPDX-License-Identifier: Apache-2.0
"""Virtual time against real time: the same loads simulated, and run by the engine on the simulated NPU.

    make bench-virtual

What is computed claims to be what a session with ``timing=modelled`` does. Each configuration is run and simulated; the
throughput and the median latency may differ by 3 % at most. Only an otherwise idle machine can tell: where threads
were woken late, the configuration is measured again, and the best of several attempts counts.
"""

from __future__ import annotations

import argparse
import contextlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ez_rknn_async import InferenceSession
from ez_rknn_async._options.provider_options import ProviderOptions
from ez_rknn_async.cli.bench.figures import Figures
from ez_rknn_async.cli.bench.live import Subject, measure
from ez_rknn_async.cli.bench.load import Load
from ez_rknn_async.cli.bench.virtual import VirtualModels
from ez_rknn_async.cli.feeds import random_feed
from ez_rknn_async.cli.table import Table
from ez_rknn_async.planning import Board, Times
from ez_rknn_async.planning.modelled import modelled_times

MODEL = Path(__file__).resolve().parent.parent / "tests" / "data" / "vector_int8.rknn"
CONVOLUTIONS = Path(__file__).resolve().parent.parent / "examples" / "digits" / "digits_i8.rknn"
ALLOWED = 0.03
SLOWER = 30  # a small network with the time of a large one, and its waits for memory


@dataclass(frozen=True)
class Configuration:
    """One session, or several beside each other, under one load."""

    name: str
    options: tuple[dict[str, Any], ...]
    load: Load
    fixed_ms: float | None = 25.0  # None: modelled from the file
    slowdown: dict[int, float] = field(default_factory=dict)

    @property
    def model(self) -> Path:
        """The file."""
        return MODEL if self.fixed_ms is not None else CONVOLUTIONS


EVERY = Load(way="run_async", in_flight=None)
BLOCKING = Load(way="run", in_flight=1)
ALL = {"schedule": [0, 1, 2]}
SLOW = dict.fromkeys(range(3), float(SLOWER))
CONFIGURATIONS = (
    Configuration("one core", ({"schedule": [0]},), EVERY),
    Configuration("one core, one at a time", ({"schedule": [0]},), BLOCKING),
    Configuration("three cores", (ALL,), EVERY),
    Configuration("a core named twice", ({"schedule": [0, 1, 0, 2]},), EVERY),
    Configuration("a slow core, in order", (ALL,), EVERY, slowdown={1: 2.0}),
    Configuration("a slow core, as they finish", ({**ALL, "sequential_callbacks": False},), EVERY, slowdown={1: 2.0}),
    Configuration("a slow core, least loaded", ({**ALL, "dispatch": "least_loaded"},), EVERY, slowdown={1: 2.0}),
    Configuration("four in flight", (ALL,), Load(way="run", in_flight=4)),
    Configuration("two in flight", (ALL,), Load(way="submit", in_flight=2)),
    Configuration("two threads a core", ({**ALL, "threads_per_core": 2},), EVERY),
    Configuration("queues of one", ({**ALL, "max_queue_size": 1},), EVERY),
    Configuration("paced", ({**ALL, "enable_pacing": True},), EVERY),
    Configuration("three cores together", ({"tp_mode": "0,1,2"},), EVERY),
    Configuration("any core", ({"tp_mode": "auto", "threads_per_core": 2},), EVERY),
    Configuration("two models on one core", ({"schedule": [0]}, {"schedule": [0, 1]}), EVERY),
    Configuration("together and alone", ({"tp_mode": "0,1"}, ALL), EVERY),
    Configuration("modelled, one core", ({"schedule": [0]},), EVERY, None, SLOW),
    Configuration("modelled, three cores", (ALL,), EVERY, None, SLOW),
    Configuration("modelled, three together", ({"tp_mode": "0,1,2"},), EVERY, None, SLOW),
    Configuration("modelled, two models", ({"schedule": [0, 1]}, {"schedule": [1, 2]}), EVERY, None, SLOW),
    Configuration("a rate, at equal distances", (ALL,), Load(way="submit", rate=80.0, arrivals="fixed")),
    Configuration("a rate, random", (ALL,), Load(way="submit", rate=80.0, seed=1)),
)


def simulated(configuration: Configuration, load: Load) -> list[Figures]:
    """Return the figures of virtual time."""
    times = modelled_times(str(configuration.model))
    if configuration.fixed_ms is not None:
        times = Times.fixed(round(configuration.fixed_ms * 1e6), inferences=times.inferences)
    board = Board("rk3588", tuple(configuration.slowdown.items()))
    models = [(str(index), times, ProviderOptions.parse(o)) for index, o in enumerate(configuration.options)]
    return VirtualModels("", 1, board, models).measure(load, lambda _: None)


def run(configuration: Configuration, load: Load) -> list[Figures]:
    """Return the figures of sessions in real time."""
    timing = "modelled" if configuration.fixed_ms is None else f"fixed:{1000 * configuration.fixed_ms:g}"
    slow = [f"{core}:{factor:g}" for core, factor in configuration.slowdown.items()]
    settings = {"timing": timing, "compute": "off", "soc": "rk3588", **({"slowdown": slow} if slow else {})}
    with contextlib.ExitStack() as stack:
        subjects = []
        for options in configuration.options:
            options = {**options, "runtime_library": "simulator", "simulator": settings}
            session = stack.enter_context(InferenceSession(configuration.model, provider_options=options))
            subjects.append(Subject(session, [random_feed(session.get_inputs())]))
        return measure(subjects, load, lambda _: None)


def errors(configuration: Configuration, seconds: float) -> tuple[float, float]:
    """Return the largest errors of the throughput and of the median latency of any model."""
    load = _for(configuration.load, seconds)
    pairs = list(zip(simulated(configuration, load), run(configuration, load)))
    throughput = max((abs(s.throughput / r.throughput - 1) for s, r in pairs), default=1.0)
    return throughput, max(abs(float(np.median(s.latency_ms) / np.median(r.latency_ms)) - 1) for s, r in pairs)


def _for(load: Load, seconds: float) -> Load:
    return Load(**{**vars(load), "seconds": seconds, "warmup": 2})


def compare(configuration: Configuration, seconds: float, attempts: int) -> tuple[float, float]:
    """Return the errors of the best attempt."""
    best = (float("inf"), float("inf"))
    for _ in range(attempts):
        best = min(best, errors(configuration, seconds), key=max)
        if max(best) <= ALLOWED:
            break
    return best


def main() -> int:
    """Print the errors of every configuration; the status says if all are small enough."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--attempts", type=int, default=5)
    parser.add_argument("--only", default="", help="part of a configuration's name")
    arguments = parser.parse_args()
    table = Table(["configuration", "throughput (%)", "p50 (%)", ""])
    worst = 0.0
    for configuration in CONFIGURATIONS:
        if arguments.only not in configuration.name:
            continue
        found = compare(configuration, arguments.seconds, arguments.attempts)
        worst = max(worst, *found)
        table.row(configuration.name, 100 * found[0], 100 * found[1], "<- too much" if max(found) > ALLOWED else "")
    print(table.render())
    print(f"Largest difference of virtual from real time: {worst:.1%}; allowed are {ALLOWED:.0%}.")
    return int(worst > ALLOWED)


if __name__ == "__main__":
    raise SystemExit(main())
