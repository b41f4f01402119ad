# SPDX-License-Identifier: Apache-2.0
"""What ``inference`` of the stand-in for RKNNLite costs beside the NPU, and what three objects on one file take.

On the simulated NPU without computing, so that everything that is left is conversion and calls. ``inference``, with
direct I/O, is compared in turns with the calls that RKNNLite is made of, ``rknn_inputs_set``, ``rknn_run`` and
``rknn_outputs_get``, through the same stand-in and the same library::

    python benchmarks/rknnlite.py tests/data/snippet.rknn
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from typing import Any, Callable

import numpy as np

from ez_rknn_async.cli.table import Table
from ez_rknn_async.compat.rknnlite import RKNNLite, RKNNRuntime

WARM_UP, ROUNDS = 20, 300


def opened(path: str) -> RKNNRuntime:
    """Load the model on core 0."""
    lite = RKNNLite()
    if lite.load_rknn(path) or lite.init_runtime(core_mask=RKNNLite.NPU_CORE_0) or lite.rknn_runtime is None:
        sys.exit(1)
    return lite.rknn_runtime


def medians(*calls: Callable[[], Any]) -> list[float]:
    """Make the calls in turns, and return the median time of each in microseconds."""
    times: list[list[float]] = [[] for _ in calls]
    for turn in range(WARM_UP + ROUNDS):
        for call, of_call in zip(calls, times):
            began = time.perf_counter()
            call()
            if turn >= WARM_UP:
                of_call.append(time.perf_counter() - began)
    return [statistics.median(of_call) * 1e6 for of_call in times]


def compared(direct: RKNNRuntime, copying: RKNNRuntime, array: Any, data_format: str) -> list[float]:
    """Time inference() against the calls that it stands for."""

    def by_copy() -> None:
        copying.set_inputs([array], None, data_format)
        copying.run(False)
        copying.get_outputs()

    return medians(lambda: direct.inference([array], None, data_format), by_copy)


def main(path: str) -> None:
    """Print both tables."""
    os.environ.update(EZ_RKNN_RUNTIME_LIBRARY="simulator", EZ_RKNN_SIMULATOR="compute=off")
    direct, for_pixels, for_floats = (opened(path) for _ in range(3))
    attribute = direct.get_tensor_attr(0)
    pixels = np.random.default_rng(0).integers(0, 256, attribute.dims[: attribute.n_dims]).astype(np.uint8)
    floats = pixels.astype(np.float32)
    table = Table(["input", "inference", "the runtime's calls"])
    for name, copying, array, data_format in (
        ("uint8, nhwc", for_pixels, pixels, "nhwc"),
        ("float32, nhwc", for_floats, floats, "nhwc"),
        ("float32, nchw", for_floats, np.ascontiguousarray(floats.transpose(0, 3, 1, 2)), "nchw"),
    ):
        ours, theirs = compared(direct, copying, array, data_format)
        table.row(name, f"{ours:.0f} µs", f"{theirs:.0f} µs")
    print(table.render())
    print("NPU memory of each object:", [each.memory["dma"] for each in (direct, for_pixels, for_floats)])


if __name__ == "__main__":
    main(sys.argv[1])
