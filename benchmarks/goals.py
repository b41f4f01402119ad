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

import anchors
import construction
import growth
import modes
import run_profile
import unfair
import zero_copy
from chart import bars
from report import CALL, publish, table
from rig import BUILD, CORES, IMAGE, ROUNDS, TINY, Peer, cost_of, feed_of, floor, in_turns, ratio, session

if TYPE_CHECKING:
    from collections.abc import Iterator

# A number that eight threads and six coroutines can share evenly.
TASKS = 960
TINY_TASKS = 4000
# The loops of modes.py among CALLS that the other library supports too.
PEER_CALLS = ("run", "run_async")
UNIT = "inferences a second, as a share of a bare C loop's (the floor)"


# ONNX Runtime's calls of an Identity model, by the way to run.
CALLS = {"run": 1.6, "run_async": 5.0, "submit": 7.0, "map": 6.0, "asyncio": 9.0}
MEANINGS = {
    "run": "a blocking call with tiny tensors and no NPU time",
    "run_async": "the same with a callback",
    "submit": "the same with a future",
    "map": "the same as a stream",
    "asyncio": "the same as a stream of a coroutine",
}
IDENTITY = " x ONNX Runtime"


@dataclass(frozen=True)
class Figure:
    """One row of the table."""

    case: str
    meaning: str
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
    for measured in (_calls(peer), _one_call(), _throughput(peer, throughputs), _scheduling(), _footprint()):
        for figure in measured:
            print(
                f"{'met   ' if figure.met else 'MISSED'}  {figure.case}: {figure.value} (goal {figure.goal}): "
                f"{figure.meaning}",
                flush=True,
            )
            figures.append(figure)
    BUILD.mkdir(parents=True, exist_ok=True)
    results = {"machine": f"{platform.machine()}, {platform.python_version()}", "figures": [asdict(f) for f in figures]}
    (BUILD / "results.json").write_text(json.dumps({**results, "throughput": throughputs}, indent=2) + "\n")
    charts = {name: bars(name, UNIT, shares) for name, shares in throughputs.items()}
    print("\n" + table(figures))
    profile = run_profile.parts()
    print("\n" + "\n".join(f"{microseconds:6.2f} µs  {part}" for part, microseconds in profile.items()))
    publish(figures, charts, profile, BUILD, into_docs=arguments.publish)


def _at_most(case: str, meaning: str, goal: float, value: float, unit: str, peer: str = "") -> Figure:
    return Figure(case, meaning, f"≤ {goal:g}{unit}", f"{value:.3g}{unit}", value <= goal, peer)


def _at_least(case: str, meaning: str, goal: float, value: float, unit: str = "", peer: str = "") -> Figure:
    return Figure(case, meaning, f"≥ {goal:g}{unit}", f"{value:.3f}{unit}", value >= goal, peer)


def _calls(peer: Peer | None) -> Iterator[Figure]:
    """Measure what calls cost, in CPU time, beside the anchors."""
    costs = anchors.calls()
    for name, goal in CALLS.items():
        ratio_to_anchor, spent = costs[name]
        theirs = ""
        if peer is not None and name in PEER_CALLS:
            cost = statistics.median(peer.cost(name, TINY, 0, TINY_TASKS, (0,)).cpu_microseconds for _ in range(ROUNDS))
            theirs = f"{cost / (spent.microseconds / ratio_to_anchor):.3g}{IDENTITY}"
        meaning = f"{MEANINGS[name]}: CPU time, as a multiple of ONNX Runtime's run of an Identity model"
        yield _at_most(f"{name}{CALL}", meaning, goal, ratio_to_anchor, IDENTITY, theirs)
    tiny_difference = costs["run_async"][1].microseconds - costs["run"][1].microseconds
    yield _at_most(
        "run_async of 600 kB, CPU",
        "the copy that lets the caller change the array: CPU time beyond run(), as a multiple of a warm memcpy",
        1.3,
        anchors.copy_beyond_run(tiny_difference),
        " x memcpy",
    )
    yield _at_most(
        "busy stream, context switches",
        "threads put to sleep, voluntarily or not, for each inference on three busy cores; the wait for the NPU is one",
        1.3,
        anchors.switches_of_a_busy_stream(),
        "",
    )


def _one_call() -> Iterator[Figure]:
    """Measure the latency of ``run()`` on one core, and what surrounds it."""
    core = (0,)
    with session(TINY, 0, core) as opened:
        feed = feed_of(opened)
        modes.run(opened, feed, TINY_TASKS)
        ours, bare = in_turns(
            lambda: cost_of(modes.run, opened, feed, TINY_TASKS).microseconds,
            lambda: floor(TINY, 0, 10 * TINY_TASKS, core).microseconds,
        )
    added = statistics.median(a - b for a, b in zip(ours, bare))
    yield _at_most(
        "run(), tiny, latency", "what run() adds to the runtime's own calls of a bare C loop", 10, added, " µs"
    )
    with session(IMAGE, 1000, core) as opened:
        feed = feed_of(opened)
        modes.run(opened, feed, 20)
        value = ratio(
            lambda: cost_of(modes.run, opened, feed, 300).microseconds,
            lambda: floor(IMAGE, 1000, 300, core).microseconds,
        )
        yield _at_most(
            "run(), 600 kB, 1 ms", "latency of a typical call, as a multiple of a bare C loop's", 1.03, value, ""
        )
        value = ratio(
            lambda: cost_of(modes.run_and_read_stats, opened, feed, 300).microseconds,
            lambda: cost_of(modes.run, opened, feed, 300).microseconds,
        )
        yield _at_most(
            "session.stats after each call", "what watching costs, as a multiple of the same without", 1.1, value, ""
        )
    # Tensors so small that converting and copying them costs nothing.
    with session(TINY, 1000, core) as opened:
        feed = feed_of(opened)
        modes.run_async(opened, feed, 20)
        ours, bare = in_turns(
            lambda: cost_of(modes.run_async, opened, feed, 600).cpu_microseconds,
            lambda: floor(TINY, 1000, 600, core).cpu_microseconds,
        )
        spent = statistics.median(a - b for a, b in zip(ours, bare))
        yield _at_most(
            "run_async, 1 ms, CPU",
            "CPU time of an inference beyond a bare C loop's, when every one wakes every thread",
            15,
            spent,
            " µs",
        )


def _throughput(peer: Peer | None, into: dict[str, dict[str, float]]) -> Iterator[Figure]:
    """Measure every way to run on three cores, as a share of the floor's rate."""
    for npu_us, goal in ((1000, 0.97), (300, 0.97)):
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
                meaning = "throughput with 600 kB inputs, as a share of a bare C loop's"
                yield _at_least(f"{name}, 3 cores, {npu_us} µs", meaning, goal, shares[name], "", theirs)
            if npu_us == 1000:
                bindings = zero_copy.bindings_of(opened, 2 * len(CORES))
                shares["bindings"] = _share_of_floor(_rate_here(zero_copy.run_bindings, opened, bindings), npu_us)
                meaning = "the same with values that stay in the NPU's memory"
                yield _at_least("bindings, 3 cores, 1000 µs", meaning, 0.99, shares["bindings"])


def _share_of_floor(rate: Callable[[], float], npu_us: int, rounds: int = ROUNDS) -> float:
    return ratio(rate, lambda: floor(IMAGE, npu_us, TASKS).rate, rounds)


def _rate_here(loop: Callable[..., None], opened: modes.Session, feed: object) -> Callable[[], float]:
    return lambda: cost_of(loop, opened, feed, TASKS).rate


def _rate_there(peer: Peer, loop: str, npu_us: int) -> Callable[[], float]:
    return lambda: peer.cost(loop, IMAGE, npu_us, TASKS).rate


def _scheduling() -> Iterator[Figure]:
    """Measure schedules with a slow core or a busy interpreter."""
    with session(IMAGE, 2000, (0,)) as one, session(IMAGE, 2000) as three:
        feed = feed_of(one)
        scaling = ratio(_rate_here(modes.run_async, three, feed), _rate_here(modes.run_async, one, feed), rounds=3)
        yield _at_least("run_async, 3 cores by 1, 2 ms", "how throughput grows with the cores", 2.85, scaling)
        few, many = zero_copy.bindings_of(one, 2), zero_copy.bindings_of(three, 2 * len(CORES))
        rates = [_rate_here(zero_copy.run_bindings, opened, bound) for opened, bound in ((three, many), (one, few))]
        grown = ratio(rates[0], rates[1], rounds=3)
        yield _at_least("bindings, 3 cores by 1, 2 ms", "the same with values in the NPU's memory", 2.85, grown)
    meaning = "throughput with dispatch='least_loaded', as a share of what the cores do each on its own"
    yield _at_least("one core ten times slower", meaning, 0.95, unfair.slow_core())
    meaning = "throughput while another thread computes in Python, as a share of the same without it"
    yield _at_least("interpreter busy, 3 cores, 2 ms", meaning, 0.95, unfair.busy_interpreter())


def _footprint() -> Iterator[Figure]:
    """Measure import, construction and growth."""
    yield _at_most("import", "CPU time of importing the package, beyond numpy", 25, construction.of_import(), " ms")
    meaning = "CPU time of InferenceSession(...) once the package has opened one, the runtime's own calls included"
    yield _at_most("opening a session", meaning, 10, construction.of_a_session(), " ms")
    meaning = "the longest pause of other Python threads while a session opens"
    yield _at_most("opening a session, pause", meaning, 5, construction.longest_hold(), " ms")
    yield _at_most(
        "64 sessions", "the cost of an inference, as a multiple of that with one session", 1.1, growth.by_sessions(), ""
    )
    meaning = "the cost of an inference with a queue of 1000, as a multiple of that with one of 8"
    yield _at_most("deep queue", meaning, 1.1, growth.by_depth(), "")


if __name__ == "__main__":
    main()
