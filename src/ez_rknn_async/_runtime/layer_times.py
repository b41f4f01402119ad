# SPDX-License-Identifier: Apache-2.0
"""The time that each layer of a model takes on the NPU, by the timing model of the simulated one.

The model is ``native/devices/simulated/timing.cpp``; ``docs/explanation/timing.md`` says how it was made and how far
off it is. These times are modelled from the file: nothing is run, and no NPU is asked.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .abi import ffi
from .context import Context
from .locate import SIMULATOR, locate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from .library import Library


@dataclass(frozen=True)
class LayerTime:
    """One layer. Cycles are the compiler's own estimates, 0 for layers that it does not estimate.

    Attributes:
        operator: the compiler's name for it, such as ``"ConvRelu"``.
        name: the node's name in the file.
        on_npu: True if the NPU computes it; otherwise the runtime does, on the CPU.
        compute_cycles: to multiply and add, with one core.
        memory_cycles: to move its data.
        moved_bytes: that it reads and writes.
        table_elements: that pass an activation which is looked up in a table.
        attention_scores: of a fused attention: heads times queries times keys.
        share: of the busiest core when 1, 2 or 3 cores work together.
        duration_ns: with 1, 2 or 3 cores working together and no other core busy.
    """

    operator: str
    name: str
    on_npu: bool
    compute_cycles: int
    memory_cycles: int
    moved_bytes: int
    table_elements: int
    attention_scores: int
    share: tuple[float, float, float]
    duration_ns: tuple[int, int, int]


@dataclass(frozen=True)
class InferenceTimes:
    """The modelled times of a model, by which the simulated NPU waits with ``timing=modelled``.

    Attributes:
        duration_ns: of one inference, by the number of cores that work together, less one, and the number of busy
            cores of the whole board, less one.
        inferences: in one run, of a model that was compiled with a batch.
    """

    duration_ns: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]
    inferences: int = 1


def layer_times(model: str | memoryview, soc: str | None = None) -> list[LayerTime]:
    """Return the layers of the model in order of execution, without the markers of its borders.

    ``model`` is a path, or the content. ``soc`` is the SoC to model; default: the one that the model was compiled for.
    For a model with dynamic shapes they are the layers for its largest ones.

    Raises:
        RknnError: the simulated NPU cannot load the model.
    """
    with _opened(model, soc) as (library, context):
        count = ffi.new("uint32_t *")
        library.call("ez_rknn_simulator_layer_times", context.handle, ffi.NULL, count)
        layers = ffi.new("ez_rknn_layer_time[]", count[0])
        library.call("ez_rknn_simulator_layer_times", context.handle, layers, count)
        return [_layer_time(layer) for layer in layers if not layer.marker]


def inference_times(model: str | memoryview, soc: str | None = None) -> InferenceTimes:
    """Return the modelled times of an inference of the model; see :func:`layer_times`.

    Raises:
        RknnError: the simulated NPU cannot load the model.
    """
    with _opened(model, soc) as (library, context):
        ns, inferences = ffi.new("int64_t[9]"), ffi.new("uint32_t *")
        library.call("ez_rknn_simulator_durations", context.handle, ns, inferences)
        one, two, three = (tuple(ns[row : row + 3]) for row in (0, 3, 6))
        return InferenceTimes((one, two, three), inferences[0])


@contextlib.contextmanager
def _opened(model: str | memoryview, soc: str | None) -> Iterator[tuple[Library, Context]]:
    library = locate(SIMULATOR).library
    settings = "compute=off" if soc is None else f"compute=off,soc={soc}"
    with library.simulator_settings(settings):
        context = Context.open(library, model)
    try:
        yield library, context
    finally:
        context.destroy()


def _layer_time(layer: Any) -> LayerTime:
    one, two, three = layer.share
    with_one, with_two, with_three = layer.duration_ns
    return LayerTime(
        operator=_text(layer.operator_type),
        name=_text(layer.name),
        on_npu=bool(layer.on_npu),
        compute_cycles=layer.compute_cycles,
        memory_cycles=layer.memory_cycles,
        moved_bytes=layer.moved_bytes,
        table_elements=layer.table_elements,
        attention_scores=layer.attention_scores,
        share=(one, two, three),
        duration_ns=(with_one, with_two, with_three),
    )


def _text(string: Any) -> str:
    return bytes(ffi.string(string)).decode("utf-8", "replace")
