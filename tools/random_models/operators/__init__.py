"""Single operators, each in a form drawn at random.

A family is a function that takes a :class:`~random_models.draft.Draft`, makes its operands there and returns the
tensors that it computes; :func:`~random_models.operators.registry.operator` registers it. That is all there is to
adding one. Whether a convolution stands in front of it is up to :meth:`~random_models.draft.Draft.source`, behind it up
to :func:`operator_model`.
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
    """One operator, in a fifth of the cases in front of a convolution; and the name of its family."""
    family = source.choice(FAMILIES)
    g = Draft(name, source, max(family.since, source.choice(OPSETS)))
    made = family.build(g)
    g.finish(*((made,) if isinstance(made, str) else made), convolved=g.chance(0.2))
    return g.model(), family.name
