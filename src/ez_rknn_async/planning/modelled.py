# SPDX-License-Identifier: Apache-2.0
"""The times of a model on the NPU, modelled from its file.

The durations come from the library of the simulated NPU, where ``timing=modelled`` takes them too.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .._runtime.layer_times import inference_times
from .system import Times

if TYPE_CHECKING:
    from typing import Any


def modelled_times(model: str | memoryview, soc: str | None = None, **others: Any) -> Times:
    """Return the times of a model by its file.

    Args:
        model: a path, or the content.
        soc: the SoC to model; default: the one that the model was compiled for.
        others: of :class:`.system.Times`, which a file does not tell: conversions, callbacks.

    Raises:
        RknnError: the simulated NPU cannot load the model.
    """
    times = inference_times(model, soc)
    return replace(Times(times.duration_ns, inferences=times.inferences), **others)
