# SPDX-License-Identifier: Apache-2.0
"""Advice on the options that serve a model best: for many inferences, and for a single one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .recipe import Recipe

_WORTHWHILE = 0.9  # of the time with fewer cores


@dataclass(frozen=True)
class Advice:
    """Options to paste, and what they give by the timing model.

    Attributes:
        purpose: what they are best for.
        options: as arguments of ``make_provider_options``.
        latency_ms, throughput: of one inference, and inferences a second.
    """

    purpose: str
    options: str
    latency_ms: float
    throughput: float


def advise(modelled_ms: Sequence[float], recipe: Recipe, has_image: bool) -> list[Advice]:
    """Return what serves a model best, given its modelled times with 1, 2, ... cores."""
    one, cores = modelled_ms[0], len(modelled_ms)
    layout = ', layout="nhwc"' if has_image and recipe.is_quantised else ""
    schedule = list(range(cores))
    advice = [Advice("throughput", f"schedule={schedule}, threads_per_core=2{layout}", one, cores * 1000 / one)]
    together = 1
    for count in range(2, cores + 1):
        if modelled_ms[count - 1] < _WORTHWHILE * modelled_ms[together - 1]:
            together = count
    if together > 1:
        mask = ",".join(map(str, range(together)))
        time = modelled_ms[together - 1]
        advice.append(Advice("latency", f'tp_mode="{mask}"{layout}', time, 1000 / time))
    else:
        advice.append(Advice("latency", f"schedule=[0]{layout}", one, 1000 / one))
    return advice
