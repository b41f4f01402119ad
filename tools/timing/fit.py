"""Fits the constants of the timing model to published frame rates, and reports the errors.

Half of the networks are fitted (``published.FITTED``); the errors that count are those of the other half. Needs numpy and
scipy, but neither the compiler nor any ``.rknn``::

    python tools/timing/fit.py            # fit, print the rows for the table in native/simulator/timing.cpp
    python tools/timing/fit.py --report   # the errors with the constants that are there, as Markdown
"""

from __future__ import annotations

import sys
from dataclasses import astuple, replace

import numpy as np
from model import Array, Constants, Network, constants_in_use, milliseconds, networks
from published import (
    FITTED,
    FRAMES_PER_SECOND,
    HELD_OUT,
    LOADED_CORE,
    TENSOR_PARALLEL,
    THREE_CORES_YOLOV5S_RELU,
    published_milliseconds,
)
from scipy.optimize import brentq, minimize

SOCS = ("rk3588", "rk3576", "rk3566")
CPU_SOC = "rk3566"  # the only one where the CPU has much to do in these networks: a softmax
EFFICIENCY = "each of three loaded cores over one alone"
PARALLEL = "three cores together over one of three loaded cores"
# A cycle cannot be shorter than at the clock of the published tests: 1.0, 0.95 and 0.9 GHz.
SHORTEST_CYCLE = {"rk3588": 1.0, "rk3576": 1 / 0.95, "rk3566": 1 / 0.9}
# Where the search begins, and where a constant stays that the data hardly determines: a byte at 17 GB/s beside computing
# and 10 GB/s alone, a table at 5 elements a nanosecond, 15 us for a layer.
START = Constants(1.1, 0.06, 0.2, 0.1, 15000, 8, 25, contention=0, join=0)
PULL = 3e-4


def fit(soc: str, byte_on_cpu: float | None = None) -> Constants:
    """Least squares of the logarithms of modelled over published times, over the networks to be fitted.

    One core does not show contention: it is left at 0. ``byte_on_cpu`` is fitted unless it is given.
    """
    compiled = networks(soc)
    free = 7 if byte_on_cpu is None else 6
    start = np.log(astuple(START)[:free])

    def constants(point: Array) -> Constants:
        cycle, *others = np.exp(point)
        values = others if byte_on_cpu is None else [*others, byte_on_cpu]
        return Constants(max(cycle, SHORTEST_CYCLE[soc]), *values, contention=0, join=0)

    def loss(point: Array) -> float:
        found = constants(point)
        errors = [np.log(milliseconds(compiled[name], found) / published_milliseconds(name, soc)) for name in FITTED]
        return float(np.mean(np.square(errors)) + PULL * np.mean(np.square(point - start)))

    options = {"maxiter": 20000, "maxfev": 20000, "xatol": 1e-4, "fatol": 1e-10}
    random = np.random.default_rng(0)
    starts = [start, *(start + random.normal(0, 0.5, free) for _ in range(4))]
    best = min((minimize(loss, x, method="Nelder-Mead", options=options) for x in starts), key=lambda found: found.fun)
    return constants(best.x)


def several_cores(constants: Constants) -> Constants:
    """With the contention and the time to join cores that RK3588 is measured to have."""
    efficiency, parallel = (published for published, _ in ratios(constants).values())

    def miss_contention(value: float) -> float:
        return ratios(replace(constants, contention=value))[EFFICIENCY][1] - efficiency

    def miss_join(value: float) -> float:
        return ratios(replace(crowded, join=value))[PARALLEL][1] - parallel

    crowded = replace(constants, contention=float(brentq(miss_contention, 0, 10)))
    return replace(crowded, join=float(brentq(miss_join, 0, 1e6)))


def error(network: Network, name: str, soc: str, constants: Constants) -> float:
    """Relative to what is published; positive where the model is too slow."""
    return milliseconds(network, constants) / published_milliseconds(name, soc) - 1


def mean_error(soc: str, names: tuple[str, ...], constants: Constants) -> float:
    """Mean of the absolute relative errors."""
    compiled = networks(soc)
    return float(np.mean([abs(error(compiled[name], name, soc, constants)) for name in names]))


def ratios(constants: Constants) -> dict[str, tuple[float, float]]:
    """Published and modelled ratios of frame rates: yolov5s_relu with three cores of RK3588."""
    network = networks("rk3588")["yolov5s_relu"]
    alone = milliseconds(network, constants)
    loaded = milliseconds(network, constants, busy=3)
    together = milliseconds(network, constants, together=3, busy=3)
    one_core = FRAMES_PER_SECOND["yolov5s_relu"]["rk3588"]
    return {
        EFFICIENCY: (THREE_CORES_YOLOV5S_RELU / (3 * one_core), alone / loaded),
        PARALLEL: (TENSOR_PARALLEL / LOADED_CORE, loaded / together),
    }


def report() -> None:
    """The tables of ``docs/explanation/timing.md``."""
    found = constants_in_use()
    print("| network | | " + " | ".join(f"{soc.upper()}: published, modelled, error" for soc in SOCS) + " |")
    print("|---|---|" + "---|" * len(SOCS))
    compiled = {soc: networks(soc) for soc in SOCS}
    for name in FRAMES_PER_SECOND:
        cells = []
        for soc in SOCS:
            modelled = milliseconds(compiled[soc][name], found[soc])
            miss = error(compiled[soc][name], name, soc, found[soc])
            cells.append(f"{published_milliseconds(name, soc):.2f}, {modelled:.2f}, {miss:+.0%}")
        print(f"| {name} | {'fitted' if name in FITTED else 'held out'} | " + " | ".join(cells) + " |")
    for kind, names in (("fitted", FITTED), ("held out", HELD_OUT)):
        print(f"| mean error | {kind} | " + " | ".join(f"{mean_error(s, names, found[s]):.1%}" for s in SOCS) + " |")
    print("\n| frames/s of yolov5s_relu on RK3588 | published | modelled | error |\n|---|---|---|---|")
    for what, (published, modelled) in ratios(found["rk3588"]).items():
        print(f"| {what} | {published:.2f} | {modelled:.2f} | {modelled / published - 1:+.0%} |")


def main() -> None:
    if "--report" in sys.argv[1:]:
        report()
        return
    fitted = {CPU_SOC: fit(CPU_SOC)}
    fitted |= {soc: fit(soc, fitted[CPU_SOC].byte_on_cpu) for soc in SOCS if soc != CPU_SOC}
    # Attention is not fused there: nothing in the data says what a score would take.
    fitted[CPU_SOC] = replace(fitted[CPU_SOC], score=fitted["rk3588"].score)
    several = several_cores(fitted["rk3588"])
    for soc, constants in fitted.items():
        row = replace(constants, contention=several.contention, join=several.join)
        print(soc, ", ".join(f"{value:.4g}" for value in astuple(row)))


if __name__ == "__main__":
    main()
