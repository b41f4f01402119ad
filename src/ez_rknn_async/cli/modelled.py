# SPDX-License-Identifier: Apache-2.0
"""The times of a model's layers on the NPU, for commands to show. Always modelled, never measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._options.soc import soc
from .._runtime.layer_times import LayerTime, layer_times
from .table import Table, folded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .._contexts.model_source import ModelSource


def modelled(source: ModelSource, on: str | None = None) -> dict[str, Any]:
    """Return the layers with their times in microseconds, and the sums in milliseconds, each with 1 core, 2 cores, ...

    ``on`` is the SoC; default: the one that the model was compiled for.

    Raises:
        RknnError: the simulated NPU cannot load the model.
    """
    with source.parsed() as model:
        platform = on or model.target_platform
    cores = soc(platform).cores
    with source.content() as content:
        layers = layer_times(content, on)
    return {
        "soc": platform,
        "milliseconds": [sum(layer.duration_ns[n] for layer in layers) / 1e6 for n in range(cores)],
        "layers": [_layer(layer, cores) for layer in layers],
    }


def _layer(layer: LayerTime, cores: int) -> dict[str, Any]:
    return {
        "operator": layer.operator,
        "name": layer.name,
        "device": "NPU" if layer.on_npu else "CPU",
        "compute_cycles": layer.compute_cycles,
        "memory_cycles": layer.memory_cycles,
        "moved_bytes": layer.moved_bytes,
        "microseconds": [duration / 1000 for duration in layer.duration_ns[:cores]],
    }


def modelled_table(description: Mapping[str, Any]) -> str:
    """Tabulate the layers, their share of the whole, and the sum."""
    sums = description["milliseconds"]
    times = [f"{cores(n + 1)} (us)" for n in range(len(sums))]
    columns = ["layer", "operator", "device", "compute (kcycles)", "moved (KiB)", *times, "share (%)"]
    table = Table(columns, ["device", "compute (kcycles)", "moved (KiB)", *times[:0:-1]])
    for number, layer in enumerate(description["layers"]):
        table.row(
            number,
            layer["operator"],
            layer["device"],
            layer["compute_cycles"] / 1000,
            layer["moved_bytes"] / 1024,
            *layer["microseconds"],
            layer["microseconds"][0] / sums[0] / 10,
        )
    return f"{table.render()}\n{folded(modelled_sum(description))}"


def modelled_sum(description: Mapping[str, Any]) -> str:
    """Return one line with the sums."""
    sums = ", ".join(f"{time:.3f} ms with {cores(n + 1)}" for n, time in enumerate(description["milliseconds"]))
    return f"Modelled for {description['soc']}, not measured: {sums}."


def cores(count: int) -> str:
    """Return a number of cores as a phrase."""
    return "1 core" if count == 1 else f"{count} cores"
