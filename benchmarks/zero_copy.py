# SPDX-License-Identifier: Apache-2.0
"""The throughput and the allocations of bindings, on the simulated NPU with compute off.

Each inference takes a fixed 2 ms of simulated NPU time, its input and output are values on the NPU, and there are one
or two bindings for each worker, resubmitted as soon as they complete. Figures are ratios of measurements of one run on
one machine. NPU memory is counted by allocation: in the simulated NPU each is an unnamed file.
"""

from __future__ import annotations

import os
import time
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np

from ez_rknn_async import InferenceSession, IOBinding, OrtValue, make_provider_options

MODEL = Path(__file__).resolve().parent.parent / "tests" / "data" / "snippet.rknn"
NPU_MICROSECONDS = 2000
TASKS = 1500


def binding_of(session: InferenceSession) -> IOBinding:
    """Return a binding with memory of its own."""
    binding = session.io_binding()
    for arg in session.get_inputs():
        frame = np.zeros(arg.shape, np.float32)
        value = OrtValue.ortvalue_from_numpy(frame, "rknpu2", name=arg.name, session=session, io_kind="input")
        binding.bind_ortvalue_input(arg.name, value)
    for name in session.output_names:
        binding.bind_output(name, "rknpu2")
    return binding


def npu_memory() -> set[str]:
    """Return this process's allocations of simulated NPU memory."""
    paths = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]
    return {str(os.stat(p).st_ino) for p in paths if os.path.islink(p) and "ez_rknn_memory" in os.readlink(p)}


def bindings_of(session: InferenceSession, number: int) -> list[IOBinding]:
    """Return ``number`` bindings, each run once: from then on nothing is bound or allocated any more."""
    bindings = [binding_of(session) for _ in range(number)]
    for binding in bindings:
        session.run_with_iobinding(binding)
    return bindings


def run_bindings(session: InferenceSession, bindings: list[IOBinding], tasks: int) -> None:
    """Run ``tasks`` inferences, resubmitting each binding as soon as it completes."""
    under_way = deque((binding, session.submit(binding)) for binding in bindings)
    for _ in range(tasks - len(bindings)):
        binding, future = under_way.popleft()
        future.result()
        under_way.append((binding, session.submit(binding)))
    for _, future in under_way:
        future.result()


def throughput(tasks: int, for_each_worker: int, schedule: list[int]) -> tuple[float, int]:
    """Return inferences per second, and the number of allocations after the first inference of each binding."""
    options: dict[str, Any] = make_provider_options(
        runtime_library="simulator", simulator=f"compute=off,timing=fixed:{NPU_MICROSECONDS}", schedule=schedule
    )
    with InferenceSession(MODEL, provider_options=options) as session:
        bindings = bindings_of(session, for_each_worker * len(schedule))
        before = npu_memory()
        start = time.perf_counter()
        run_bindings(session, bindings, tasks)
        rate = tasks / (time.perf_counter() - start)
        return rate, len(npu_memory() - before)


def main() -> None:
    """Measure and print the figures."""
    print(f"input 1x3x224x224 on the NPU, {NPU_MICROSECONDS / 1000:g} ms of NPU time an inference, submit(binding)")
    for each in (1, 2):
        one, _ = throughput(TASKS // 3, each, [0])
        rate, made = throughput(TASKS, each, [0, 1, 2])
        print(
            f"{each} binding{'s' if each > 1 else ' '} a worker: {one:6.1f}/s on one core, {rate:7.1f}/s on three: "
            f"{rate / one:.2f} x; memory made in {TASKS} runs: {made}"
        )


if __name__ == "__main__":
    main()
