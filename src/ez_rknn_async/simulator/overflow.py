# SPDX-License-Identifier: Apache-2.0
"""Layers whose results float16 cannot hold.

Beyond 65504 a float16 number is infinite, and infinities make NaN. Behind such a layer nothing is what the network's
author meant, on the NPU as here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from numpy.typing import NDArray

    from ..model import Graph

    Values = Mapping[int, NDArray[Any]]

SHOWN = 3  # layers that a message names


@dataclass(frozen=True)
class Overflow:
    """A layer that makes infinities or NaN out of finite numbers."""

    layer: str
    operator: str
    infinite: int  # elements of its results
    undefined: int  # that are NaN


def overflows(graph: Graph, values: Values) -> list[Overflow]:
    """Return the layers at which infinity or NaN arises in one inference, in the order of execution."""
    found = []
    for node in graph.nodes:
        results = [values[index] for index in node.outputs if index in values and _is_float(values[index])]
        infinite = sum(int(np.isinf(result).sum()) for result in results)
        undefined = sum(int(np.isnan(result).sum()) for result in results)
        if infinite + undefined and all(_is_finite(values[index]) for index in node.inputs if index in values):
            found.append(Overflow(node.name or node.op, node.op, infinite, undefined))
    return found


def warning(found: Iterable[Overflow]) -> str | None:
    """Return one line that names the layers, once each; None if there are none."""
    layers = list({one.layer: one for one in found}.values())
    if not layers:
        return None
    named = [f"{one.layer} ({one.operator}: {_counts(one)})" for one in layers[:SHOWN]]
    more = f" and {len(layers) - SHOWN} more" if len(layers) > SHOWN else ""
    return (
        f"numbers arise that float16 cannot hold, in {', '.join(named)}{more}; on the NPU too. Scale the network so "
        "that they stay below 65504, or compile these layers in int8"
    )


def _counts(one: Overflow) -> str:
    said = [f"{one.infinite} infinite"] * bool(one.infinite) + [f"{one.undefined} NaN"] * bool(one.undefined)
    return ", ".join(said)


def _is_float(values: NDArray[Any]) -> bool:
    return bool(np.issubdtype(values.dtype, np.floating))


def _is_finite(values: NDArray[Any]) -> bool:
    return not _is_float(values) or bool(np.isfinite(values).all())
