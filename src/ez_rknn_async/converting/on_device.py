# SPDX-License-Identifier: Apache-2.0
"""A run of a compiled file through a session: on this machine's NPU, or a simulated one of a given SoC."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from .._options.soc import SOCS
from ..errors import RknnModelError, RknnValueError
from ..session import InferenceSession

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from ..model import Model

    Array = NDArray[Any]

NPU = "npu"
_TWINS = ({"rk3566", "rk3568"},)  # the same NPU


def run_on_device(
    where: str | None, file: Path, model: Model, samples: Sequence[Mapping[str, Array]]
) -> list[list[Array]] | None:
    """Return the outputs for each sample, or None if there is nowhere to run.

    Raises:
        RknnModelError: the model is for another SoC.
    """
    if where is None:
        return None
    options: dict[str, Any] = {}
    check_soc(where, os.fspath(file), model.target_platform)
    if where != NPU:
        options = {"runtime_library": "simulator", "simulator": f"soc={where}"}
    with InferenceSession(os.fspath(file), provider_options=[options]) as session:
        names = [port.name for port in session.get_inputs()]
        return [_run(session, dict(zip(names, sample.values())), model.batch_size) for sample in samples]


def _run(session: InferenceSession, feed: Mapping[str, Array], batch: int) -> list[Array]:
    repeated = {name: np.concatenate([array] * max(batch, 1)) for name, array in feed.items()} if batch > 1 else feed
    outputs = session.run(None, repeated)
    return [output[: len(output) // batch] if batch > 1 else output for output in outputs]


def check_soc(where: str, file: str, target: str) -> None:
    """Check that a file for ``target`` can be verified there.

    Raises:
        RknnModelError: it is for another SoC.
    """
    if where == NPU:
        return  # the runtime knows what it is
    if where not in SOCS:
        raise RknnValueError(f"verify_on={where!r} is neither 'npu' nor one of {', '.join(SOCS)}")
    if target != where and not any({target, where} <= twins for twins in _TWINS):
        raise RknnModelError(
            f"{file!r} is for {target}, and it is to be verified on {where}",
            hint=f"convert it with --target {where}, or verify it on {target}",
        )
