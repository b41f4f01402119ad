# SPDX-License-Identifier: Apache-2.0
"""Figures that nobody measured, for tests of what is made of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ez_rknn_async.cli.bench.figures import CoreUse, Figures
from ez_rknn_async.cli.bench.host import HostLoad

SPLIT = {"queue": 2.0, "input": 0.0, "npu": 1.0, "output": 0.0, "callback": 0.01}
IDLE = HostLoad(processors=2, own=0.1, others=0.02, waited=0.001)
BUSY = HostLoad(processors=2, own=0.1, others=0.9, waited=0.3)


def figures(runs: int = 1000, every_ms: float = 1.0, latency_ms: float = 3.0, **others: Any) -> Figures:
    """A core that takes ``every_ms`` for each inference, always at work; ``others`` replaces what is named."""
    finished = np.arange(1, runs + 1, dtype=np.float64) * np.float64(every_ms / 1e3)
    full = Figures(
        due=finished - np.float64(latency_ms / 1e3),
        finished=finished,
        inferences=1,
        offered=None,
        in_flight=None,
        split_ms={**SPLIT, "npu": 0.97 * every_ms},
        alone_ms=every_ms,
        cores={"0": CoreUse(runs, 0.97, every_ms)},
        workers=1,
        host=IDLE,
    )
    return replace(full, **others)
