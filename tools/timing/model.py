# SPDX-License-Identifier: Apache-2.0
"""A Python copy of the timing model, for fitting its constants.

The simulator runs ``native/devices/simulated/timing.cpp``; ``tests/simulator/test_timing.py`` compares the two, layer
by layer.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

DATA = Path(__file__).parent / "data"
SOURCE = Path(__file__).parents[2] / "native" / "devices" / "simulated" / "timing.cpp"

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Constants:
    """The fitted constants of one SoC, in nanoseconds: the last columns of ``timing.cpp``'s table, in its order."""

    cycle: float
    byte: float
    table: float
    byte_moved: float
    layer: float
    score: float
    byte_on_cpu: float
    contention: float
    join: float


@dataclass(frozen=True)
class Network:
    """The layers of one network, a column a feature: the rows of ``data/SOC.json``."""

    operators: tuple[str, ...]
    on_npu: Array
    compute_cycles: Array
    moved_bytes: Array
    table_elements: Array
    attention_scores: Array
    share: tuple[Array, Array, Array]


def layer_durations(network: Network, constants: Constants, together: int = 1, busy: int = 1) -> Array:
    """Return nanoseconds for each layer, if ``together`` cores share it and ``busy`` cores compete for memory."""
    share = network.share[together - 1]
    # The others wait while one core computes a layer that is not divided.
    others = np.where(share < 1, busy, busy - together + 1) - 1
    slower = 1 + constants.contention * others
    per_byte = np.where(network.compute_cycles > 0, constants.byte, constants.byte_moved)
    work = (
        np.maximum(network.compute_cycles * constants.cycle, network.moved_bytes * per_byte * slower)
        + network.table_elements * constants.table
        + network.attention_scores * constants.score
    )
    on_npu = work * share
    on_cpu = network.moved_bytes * constants.byte_on_cpu
    return np.where(network.on_npu > 0, on_npu + np.where(share < 1, constants.join, 0), on_cpu) + constants.layer


def milliseconds(network: Network, constants: Constants, together: int = 1, busy: int = 1) -> float:
    """Return the modelled time of one inference."""
    return float(layer_durations(network, constants, together, busy).sum()) / 1e6


def networks(soc: str) -> dict[str, Network]:
    """Return the networks that were compiled for ``soc``, by name."""
    recorded = json.loads((DATA / f"{soc}.json").read_text())
    return {name: network_of(rows) for name, rows in recorded.items()}


def network_of(rows: list[list[object]]) -> Network:
    """Return the columns of rows as ``extract.py`` writes them."""
    operators, *columns = zip(*rows)
    on_npu, cycles, moved, table, scores, two, three = (np.array(column, np.float64) for column in columns)
    return Network(operators, on_npu, cycles, moved, table, scores, (np.ones_like(two), two, three))


def constants_in_use() -> dict[str, Constants]:
    """Return the constants in ``timing.cpp``, by SoC."""
    rows = re.findall(r'^    \{"(\w+)", ([^}]+)\},$', SOURCE.read_text(), re.MULTILINE)
    return {soc: Constants(*(float(value) for value in values.split(",")[4:])) for soc, values in rows}
