# SPDX-License-Identifier: Apache-2.0
"""Random models for the official compiler, to test the simulated NPU.

A seed makes one :class:`Subject`. Its kind is drawn first:

* ``operator``: one operator in a random form, alone or with convolutions around it (:mod:`.operators`);
* ``block``: a convolution in a random form, with an activation and other operands (:mod:`.blocks`);
* ``network``: a stem and a handful of operators of images (:mod:`.networks`);
* ``sequence``: attention, transformers, recurrent layers, perceptrons (:mod:`.sequences`);
* ``trained``: what trained networks have and random weights do not (:mod:`.trained`), one model in ten.

The others are as frequent as in the collection for which the required shares were set: about 190 single operators, 160
blocks and 20 networks of both sorts. Each kind has its own score beside the total.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable

from recording import Entry

from .blocks import block_model
from .networks import Network
from .operators import operator_model
from .sequences import sequence_model
from .trained import inputs_of, is_of_float16, trained_model

if TYPE_CHECKING:
    import onnx

    Build = Callable[[str, random.Random], tuple[onnx.ModelProto, str]]

SOCS = ("rk3588", "rk3576", "rk3566", "rk3568", "rk3562", "rv1126b")


def network_model(name: str, source: random.Random) -> tuple[onnx.ModelProto, str]:
    """Build a network; all are of one form."""
    return Network(name, source).model(), "network"


KINDS: dict[str, Build] = {
    "operator": operator_model,
    "block": block_model,
    "network": network_model,
    "sequence": sequence_model,
    "trained": trained_model,
}
TRAINED = 0.1  # the share of models of that kind
FREQUENCIES = {"operator": 19, "block": 16, "network": 1, "sequence": 1}


@dataclass(frozen=True)
class Subject:
    """A random model and its compiler options."""

    kind: str  # one of KINDS
    form: str  # which of its forms
    entry: Entry


def subject(seed: int, kind: str | None = None) -> Subject:
    """Draw the model of ``seed``; its graph is the same for the same seed and kind."""
    decide = random.Random(-1 - seed)
    int8, target = decide.random() < 0.7, decide.choice(SOCS)
    (drawn,) = decide.choices(tuple(FREQUENCIES), tuple(FREQUENCIES.values()))
    # Drawn apart, so that the seeds of the other kinds have kept their models.
    kind = kind or ("trained" if random.Random(f"trained{seed}").random() < TRAINED else drawn)
    name = f"fuzz{seed}"
    model, form = KINDS[kind](name, random.Random(seed))
    batch = decide.choice((2, 3)) if kind in ("block", "network") and decide.random() < 0.1 else 1
    config = _config(decide)
    inputs = inputs_of(form) if kind == "trained" else None
    int8 = int8 and not (kind == "trained" and is_of_float16(form))
    entry = Entry(
        name, lambda: model, int8=int8, target=target, config=config, batch=batch, familiar=True, inputs=inputs
    )
    return Subject(kind, form, entry)


def _config(decide: random.Random) -> dict[str, Any]:
    """Draw options of the compiler: usually none."""
    return {"quantized_method": "layer"} if decide.random() < 0.2 else {}
