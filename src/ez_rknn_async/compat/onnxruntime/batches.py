# SPDX-License-Identifier: Apache-2.0
"""Batches of programs whose ONNX model takes any number of samples, for a model that was compiled for one.

A network whose first dimension is time looks the same, and would be computed wrongly. So this is for users to ask for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..._options.run_options import DISPATCH_BATCH

if TYPE_CHECKING:
    from ...session import InferenceSession


def larger_batch(session: InferenceSession, feed: Any) -> bool:
    """Whether a feed has more samples than the model was compiled for; the session checks everything else."""
    if not isinstance(feed, Mapping) or len(sets := session.get_input_shapes()) != 1:
        return False
    given = {name: np.shape(value) for name, value in feed.items()}
    compiled = {name: tuple(shape) for name, shape in sets[0].items()}
    return given.keys() == compiled.keys() and any(given[name][:1] != shape[:1] for name, shape in compiled.items())


def dispatching(run_options: Any) -> Any:
    """Return run options that make each sample a task of its own, whatever else they say."""
    if run_options is None:
        return {DISPATCH_BATCH: True}
    if isinstance(run_options, Mapping):
        return {**run_options, DISPATCH_BATCH: True}
    run_options.add_run_config_entry(DISPATCH_BATCH, "1")
    return run_options
