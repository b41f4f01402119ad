# SPDX-License-Identifier: Apache-2.0
"""The engine's overhead over the NPU's time, against the goals: ``make bench``.

Prints a table, and writes ``build/bench/results.json`` and charts. With ``--publish`` the table and the charts go into
``docs/`` too. All figures are ratios taken in one run on one machine, on the simulated NPU with ``compute=off``.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Callable

import construction
import growth
import memory
import modes
import run_profile
import unfair
import zero_copy
from chart import bars
from report import publish, table
from rig import BUILD, CORES, IMAGE, ROUNDS, TINY, Peer, cost_of, feed_of, floor, in_turns, ratio, session

if TYPE_CHECKING:
    from collections.abc import Iterator

# A number that eight threads and six coroutines can share evenly.
TASKS = 960
TINY_TASKS = 4000


@dataclass(frozen=True)
class Figure:
    """One row of the table."""

    case: str
    goal: str
    value: str
    met: bool
    peer: str = ""


def main() -> None:
    """Measure, print and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--publish", action="store_true", help="write the table and the charts into docs/")
    arguments = parser.parse_args()
    peer = Peer.find()
    figures: list[Figure] = []
    throughputs: dict[str, dict[str, float]] = {}
    for measured in (_one_call(peer), _throughput(peer, throughputs), _scheduling(peer), _footprint()):
        for figure in measured:
            print(
                f"{'met   ' if figure.met else 'MISSED'}  {figure.case}: {figure.value} (goal {figure.goal})",
                flush=True,
            )
            figures.append(figure)
    BUILD.mkdir(parents=True, exist_ok=True)
    results = {"machine": f"{platform.machine()}, {platform.python_version()}", "figures": [asdict(f) for f in figures]}
    (BUILD / "results.json").write_text(json.dumps({**results, "throughput": throughputs}, indent=2) + "\n")
    charts = {name: bars(name, shares) for name, shares in throughputs.items()}
    print("\n" + table(figures))
    profile = run_profile.parts()
    print("\n" + "\n".join(f"{microseconds:6.2f} µs  {part}" for part, microseconds in profile.items()))
    publish(figures, charts, profile, BUILD, into_docs=arguments.publish)


def _at_most(case: str, goal: float, value: float, unit: str, peer: str = "") -> Figure:
    return Figure(case, f"≤ {goal:g}{unit}", f"{value:.3g}{unit}", value <= goal, peer)


def _at_least(case: str, goal: float, value: float, unit: str = "", peer: str = "") -> Figure:
    return Figure(case, f"≥ {goal:g}{unit}", f"{value:.3f}{unit}", value >= goal, peer)


def _one_call(peer: Peer | None) -> Iterator[Figure]:
    """Measure the latency of ``run()`` on one core."""
    core = (0,)
    with session(TINY, 0, core) as opened:
        feed = feed_of(opened)
        modes.run(opened, feed, TINY_TASKS)
        measures: list[Callable[[], float]] = [
            lambda: cost_of(modes.run, opened, feed, TINY_TASKS).microseconds,
            lambda: floor(TINY, 0, 10 * TINY_TASKS, core).microseconds,
        ]
        if peer is not None:
            measures.append(lambda: peer.cost("run", TINY, 0, TINY_TASKS, core).microseconds)
        ours, bare, *others = in_turns(*measures)
    added = statistics.median(a - b for a, b in zip(ours, bare))
    theirs = [statistics.median(a - b for a, b in zip(other, bare)) for other in others]
    yield _at_most(
        "run(), tiny tensors, no NPU time: added to a call", 10, added, " µs", "".join(f"{t:.3g} µs" for t in theirs)
    )
    if theirs:
        yield _at_most("the same, by what the other library adds", 1 / 6, added / theirs[0], "")
    with session(IMAGE, 1000, core) as opened:
        feed = feed_of(opened)
        modes.run(opened, feed, 20)
        value = ratio(
            lambda: cost_of(modes.run, opened, feed, 300).microseconds,
            lambda: floor(IMAGE, 1000, 300, core).microseconds,
        )
        yield _at_most("run(), 1x3x224x224 float32, 1 ms", 1.03, value, " x floor")
        value = ratio(
            lambda: cost_of(modes.run_and_read_stats, opened, feed, 300).microseconds,
            lambda: cost_of(modes.run, opened, feed, 300).microseconds,
        )
        yield _at_most("the same with session.stats read after each", 1.1, value, " x without")
    # Tensors so small that converting and copying them costs nothing.
    with session(TINY, 1000, core) as opened:
        feed = feed_of(opened)
        modes.run_async(opened, feed, 20)
        ours, bare = in_turns(
            lambda: cost_of(modes.run_async, opened, feed, 600).cpu_microseconds,
            lambda: floor(TINY, 1000, 600, core).cpu_microseconds,
        )
        spent = statistics.median(a - b for a, b in zip(ours, bare))
        yield _at_most("CPU time of an inference beyond the floor's, run_async, tiny tensors", 15, spent, " µs")


def _throughput(peer: Peer | None, into: dict[str, dict[str, float]]) -> Iterator[Figure]:
    """Measure every way to run on three cores, as a share of the floor's rate."""
    for npu_us, goal in ((1000, 0.97), (300, 0.90)):
        shares = into.setdefault(f"Throughput on three cores, {npu_us} µs of NPU time", {})
        with session(IMAGE, npu_us, sequential_callbacks=False) as opened:
            feed = feed_of(opened)
            for name, loop in modes.OURS.items():
                loop(opened, feed, 48)
                shares[name] = _share_of_floor(_rate_here(loop, opened, feed), npu_us)
                theirs = ""
                if peer is not None and name in modes.COMMON:
                    other = _share_of_floor(_rate_there(peer, name, npu_us), npu_us, rounds=3)
                    shares[f"{name} (other library)"] = other
                    theirs = f"{other:.3f}"
                yield _at_least(f"{name}, 3 cores, {npu_us} µs", goal, shares[name], " x floor", theirs)
            if npu_us == 1000:
                bindings = zero_copy.bindings_of(opened, 2 * len(CORES))
                shares["bindings"] = _share_of_floor(_rate_here(zero_copy.run_bindings, opened, bindings), npu_us)
                yield _at_least("bindings (zero copy), 3 cores, 1000 µs", 0.99, shares["bindings"], " x floor")


def _share_of_floor(rate: Callable[[], float], npu_us: int, rounds: int = ROUNDS) -> float:
    return ratio(rate, lambda: floor(IMAGE, npu_us, TASKS).rate, rounds)


def _rate_here(loop: Callable[..., None], opened: modes.Session, feed: object) -> Callable[[], float]:
    return lambda: cost_of(loop, opened, feed, TASKS).rate


def _rate_there(peer: Peer, loop: str, npu_us: int) -> Callable[[], float]:
    return lambda: peer.cost(loop, IMAGE, npu_us, TASKS).rate


def _scheduling(peer: Peer | None) -> Iterator[Figure]:
    """Measure schedules with a slow core or a busy interpreter."""
    with session(IMAGE, 2000, (0,)) as one, session(IMAGE, 2000) as three:
        feed = feed_of(one)
        scaling = ratio(_rate_here(modes.run_async, three, feed), _rate_here(modes.run_async, one, feed), rounds=3)
        yield _at_least("run_async on three cores by one, 2 ms", 2.85, scaling)
        few, many = zero_copy.bindings_of(one, 2), zero_copy.bindings_of(three, 2 * len(CORES))
        rates = [_rate_here(zero_copy.run_bindings, opened, bound) for opened, bound in ((three, many), (one, few))]
        yield _at_least("bindings on three cores by one, 2 ms", 2.85, ratio(rates[0], rates[1], rounds=3))
    yield _at_least("one core ten times slower, least_loaded: share of the cores' sum", 0.95, unfair.slow_core())
    yield _at_least("interpreter busy, 16 submissions ahead, 3 cores, 2 ms", 0.95, unfair.busy_interpreter(), " x idle")


def _footprint() -> Iterator[Figure]:
    """Measure memory, construction and growth."""
    yield _at_most("memory of a 200 MB model on 3 cores", 1.1, memory.of_a_large_model(), " x the file")
    yield _at_most("longest time that construction holds the GIL", 5, construction.longest_hold(), " ms")
    yield _at_most("cost of an inference, 64 sessions by 1", 1.1, growth.by_sessions(), "")
    yield _at_most("cost of an inference, queue depth 1000 by 8", 1.1, growth.by_depth(), "")


if __name__ == "__main__":
    main()
