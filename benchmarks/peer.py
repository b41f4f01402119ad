# SPDX-License-Identifier: Apache-2.0
"""A run of one loop of ``modes.py`` on the library that this one replaces, in that library's own environment.

    python peer.py LOOP MODEL RUNS CORES

Prints the fields of ``rig.Cost`` as JSON.
"""

from __future__ import annotations

import json
import sys
import time
import warnings

import modes
import numpy as np

warnings.simplefilter("ignore")  # the library warns that our simulated runtime is old

import ztu_somemodelruntime_ez_rknn_async as library  # noqa: E402

LOOPS = {**modes.OURS, "run": modes.run}


def main() -> None:
    """Measure and print the cost."""
    loop, model, runs, cores = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
    # With its default layout the runtime refuses the input (and returns success): nothing would be converted.
    options = library.make_provider_options(
        schedule=[int(core) for core in cores.split(",")], max_queue_size=8, layout="nhwc"
    )
    session = library.InferenceSession(model, provider_options=options)
    feed = {i.name: np.zeros(i.shape, np.float32) for i in session.get_inputs()}
    session.run(None, feed)
    clock, cpu = time.perf_counter(), time.process_time()
    LOOPS[loop](session, feed, runs)
    cost = {"seconds": time.perf_counter() - clock, "cpu_seconds": time.process_time() - cpu, "runs": runs}
    print(json.dumps(cost))


if __name__ == "__main__":
    main()
