# SPDX-License-Identifier: Apache-2.0
"""A report of the timing model's errors against published frame rates, with the constants in use.

It prints the tables of ``docs/explanation/timing.md``. Needs numpy::

    python tools/timing/soc_report.py
"""

from __future__ import annotations

import numpy as np
from published import (
    FITTED,
    FITTED_RATIOS,
    FRAMES_PER_SECOND,
    HELD_OUT,
    HELD_OUT_RATIOS,
    Ratio,
    published_milliseconds,
)

from model import Constants, Network, constants_in_use, milliseconds, networks

SOCS = ("rk3588", "rk3576", "rk3566")


def error(network: Network, name: str, soc: str, constants: Constants) -> float:
    """Return the error relative to the published time; positive if the model is too slow."""
    return milliseconds(network, constants) / published_milliseconds(name, soc) - 1


def mean_error(soc: str, names: tuple[str, ...], constants: Constants) -> float:
    """Return the mean of the absolute relative errors."""
    compiled = networks(soc)
    return float(np.mean([abs(error(compiled[name], name, soc, constants)) for name in names]))


def modelled(ratio: Ratio, constants: Constants) -> float:
    """Return the model's value of a ratio."""
    network = networks("rk3588")[ratio.network]
    one, other = (milliseconds(network, constants, *cores) for cores in zip(ratio.cores, ratio.busy))
    return one / other


def report() -> str:
    """Return both tables, as Markdown."""
    return f"{single_core_table()}\n\n{several_cores_table()}"


def single_core_table() -> str:
    """Format every network on every SoC, in milliseconds for one inference."""
    found = constants_in_use()
    compiled = {soc: networks(soc) for soc in SOCS}
    lines = [
        "| network | | " + " | ".join(f"{soc.upper()}: published, modelled, error" for soc in SOCS) + " |",
        "|---|---|" + "---|" * len(SOCS),
    ]
    for name in FRAMES_PER_SECOND:
        cells = []
        for soc in SOCS:
            ours = milliseconds(compiled[soc][name], found[soc])
            miss = error(compiled[soc][name], name, soc, found[soc])
            cells.append(f"{published_milliseconds(name, soc):.2f}, {ours:.2f}, {miss:+.0%}")
        lines.append(f"| {name} | {'fitted' if name in FITTED else 'held out'} | " + " | ".join(cells) + " |")
    for kind, names in (("fitted", FITTED), ("held out", HELD_OUT)):
        means = (f"**{mean_error(soc, names, found[soc]):.1%}**" for soc in SOCS)
        lines.append(f"| mean error | {kind} | " + " | ".join(means) + " |")
    return "\n".join(lines)


def several_cores_table() -> str:
    """Format the ratios of times with three cores."""
    constants = constants_in_use()["rk3588"]
    lines = ["| three cores of RK3588 | | network | published | modelled | error |", "|---|---|---|---|---|---|"]
    for kind, group in (("fitted", FITTED_RATIOS.values()), ("held out", HELD_OUT_RATIOS)):
        for ratio in group:
            ours = modelled(ratio, constants)
            miss = ours / ratio.value - 1
            lines.append(f"| {ratio.what} | {kind} | {ratio.network} | {ratio.value:.2f} | {ours:.2f} | {miss:+.0%} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(report())
