# SPDX-License-Identifier: Apache-2.0
"""The fit of the timing model's constants to published frame rates.

Half of the networks are fitted (``published.FITTED``); ``soc_report.py`` shows the errors on the others. Needs numpy
and scipy, but neither the compiler nor any ``.rknn``. Prints, for each SoC, the last columns of the table in
``native/devices/simulated/timing.cpp``::

    python tools/timing/fit.py
"""

from __future__ import annotations

from dataclasses import astuple, replace

import numpy as np
from published import FITTED, FITTED_RATIOS, published_milliseconds
from scipy.optimize import brentq, minimize
from soc_report import SOCS, modelled

from model import Array, Constants, milliseconds, networks

CPU_SOC = "rk3566"  # the only one where the CPU does much in these networks: a softmax
# A cycle cannot be shorter than at the clock of the published tests: 1.0, 0.95 and 0.9 GHz.
SHORTEST_CYCLE = {"rk3588": 1.0, "rk3576": 1 / 0.95, "rk3566": 1 / 0.9}
# The start of the search, to which the constants are pulled that the data hardly determines: bytes at 17 GB/s beside
# computing and at 10 GB/s alone, a table at 5 elements a nanosecond, 15 us for a layer.
START = Constants(1.1, 0.06, 0.2, 0.1, 15000, 8, 25, contention=0, join=0)
PULL = 3e-4


def fit(soc: str, byte_on_cpu: float | None = None) -> Constants:
    """Minimise the squared logarithms of modelled over published times, over the networks to be fitted.

    One core does not show contention: it is left at 0. ``byte_on_cpu`` is fitted unless it is given.
    """
    compiled = networks(soc)
    free = 7 if byte_on_cpu is None else 6
    start = np.log(astuple(START)[:free])

    def constants(point: Array) -> Constants:
        cycle, *others = np.exp(point)
        values = others if byte_on_cpu is None else [*others, byte_on_cpu]
        return Constants(*[max(cycle, SHORTEST_CYCLE[soc]), *values, 0, 0])  # neither contention nor joins

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
    """Solve for contention and then for the time to join cores, so that the fitted ratios are as published."""
    for name, most in (("contention", 10.0), ("join", 1e6)):
        constants = replace(constants, **{name: _solved(constants, name, most)})
    return constants


def _solved(constants: Constants, name: str, most: float) -> float:
    ratio = FITTED_RATIOS[name]

    def miss(value: float) -> float:
        return modelled(ratio, replace(constants, **{name: value})) - ratio.value

    return float(brentq(miss, 0, most))


def main() -> None:
    """Print the rows."""
    fitted = {CPU_SOC: fit(CPU_SOC)}
    fitted |= {soc: fit(soc, fitted[CPU_SOC].byte_on_cpu) for soc in SOCS if soc != CPU_SOC}
    # Attention is not fused there: the data does not determine the time of a score.
    fitted[CPU_SOC] = replace(fitted[CPU_SOC], score=fitted["rk3588"].score)
    several = several_cores(fitted["rk3588"])
    for soc, constants in fitted.items():
        row = replace(constants, contention=several.contention, join=several.join)
        print(soc, ", ".join(f"{value:.4g}" for value in astuple(row)))


if __name__ == "__main__":
    main()
