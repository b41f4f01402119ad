"""How far the timing model is off the published frame rates, with the constants that are in use; the tables of
``docs/explanation/timing.md``. Needs numpy::

    python tools/timing/report.py
"""

from __future__ import annotations

import numpy as np
from published import (
    FITTED,
    FRAMES_PER_SECOND,
    HELD_OUT,
    LOADED_CORE,
    TENSOR_PARALLEL,
    THREE_CORES_YOLOV5S_RELU,
    published_milliseconds,
)

from model import Constants, Network, constants_in_use, milliseconds, networks

SOCS = ("rk3588", "rk3576", "rk3566")
EFFICIENCY = "each of three loaded cores over one alone"
PARALLEL = "three cores together over one of three loaded cores"


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


def report() -> str:
    """Both tables, as Markdown."""
    return f"{single_core_table()}\n\n{several_cores_table()}"


def single_core_table() -> str:
    """Every network on every SoC, in milliseconds for one inference."""
    found = constants_in_use()
    compiled = {soc: networks(soc) for soc in SOCS}
    lines = [
        "| network | | " + " | ".join(f"{soc.upper()}: published, modelled, error" for soc in SOCS) + " |",
        "|---|---|" + "---|" * len(SOCS),
    ]
    for name in FRAMES_PER_SECOND:
        cells = []
        for soc in SOCS:
            modelled = milliseconds(compiled[soc][name], found[soc])
            miss = error(compiled[soc][name], name, soc, found[soc])
            cells.append(f"{published_milliseconds(name, soc):.2f}, {modelled:.2f}, {miss:+.0%}")
        lines.append(f"| {name} | {'fitted' if name in FITTED else 'held out'} | " + " | ".join(cells) + " |")
    for kind, names in (("fitted", FITTED), ("held out", HELD_OUT)):
        means = (f"**{mean_error(soc, names, found[soc]):.1%}**" for soc in SOCS)
        lines.append(f"| mean error | {kind} | " + " | ".join(means) + " |")
    return "\n".join(lines)


def several_cores_table() -> str:
    """Ratios of frame rates."""
    lines = ["| yolov5s_relu on RK3588, frames/s | published | modelled |", "|---|---|---|"]
    for what, (published, modelled) in ratios(constants_in_use()["rk3588"]).items():
        lines.append(f"| {what} | {published:.2f} | {modelled:.2f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(report())
