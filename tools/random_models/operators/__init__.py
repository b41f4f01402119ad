# SPDX-License-Identifier: Apache-2.0
"""Single operators, each in a form drawn at random.

A family is a function that takes a :class:`~random_models.draft.Draft`, adds its operands there and returns the
tensors that it computes; :func:`~random_models.operators.registry.operator` registers it. Nothing else is needed to
add one. :meth:`~random_models.draft.Draft.source` may put a convolution before it, :func:`operator_model` after it.
"""

from __future__ import annotations

import random
from importlib import import_module
from typing import TYPE_CHECKING

from ..draft import OPSETS, Draft
from .registry import FAMILIES

if TYPE_CHECKING:
    import onnx

for _module in (
    "comparison",
    "elementwise",
    "indexing",
    "integers",
    "matmul",
    "movement",
    "normalization",
    "pooling",
    "reduction",
    "resampling",
):
    import_module(f"{__name__}.{_module}")


def operator_model(name: str, source: random.Random) -> tuple[onnx.ModelProto, str]:
    """Build one operator, at times before a convolution; return it and the name of its family."""
    family = source.choice(FAMILIES)
    g = Draft(name, source, max(family.since, source.choice(OPSETS)))
    made = family.build(g)
    g.finish(*((made,) if isinstance(made, str) else made), convolved=g.chance(0.2))
    return g.model(), family.name
