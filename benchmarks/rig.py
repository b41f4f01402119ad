# SPDX-License-Identifier: Apache-2.0
"""The measuring rig of the benchmarks: the floor, the library that this one replaces, and ourselves, side by side.

Everything runs on the simulated NPU with ``compute=off``: an inference takes a fixed time, all else is our own cost.
Compared measurements alternate, so that other load on the machine affects both sides; a figure is the median of the
ratios.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

import numpy as np

from ez_rknn_async import InferenceSession, make_provider_options
from ez_rknn_async._runtime.abi import NATIVE
from ez_rknn_async._runtime.locate import SIMULATOR_LIBRARY

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "bench"
IMAGE = ROOT / "tests" / "data" / "snippet.rknn"  # 1x3x224x224 in, 640 values out, int8
TINY = ROOT / "tests" / "data" / "vector_int8.rknn"  # 20 values in, 10 out
CORES = (0, 1, 2)
ROUNDS = 5


@dataclass(frozen=True)
class Cost:
    """The cost of a number of inferences: wall-clock seconds, and CPU seconds of all threads of the process."""

    seconds: float
    cpu_seconds: float
    runs: int

    @property
    def rate(self) -> float:
        """Inferences per second."""
        return self.runs / self.seconds

    @property
    def microseconds(self) -> float:
        """Wall-clock time of one inference."""
        return 1e6 * self.seconds / self.runs

    @property
    def cpu_microseconds(self) -> float:
        """CPU time of one inference."""
        return 1e6 * self.cpu_seconds / self.runs


def settings(npu_us: int, **more: str) -> str:
    """Return the simulated NPU's settings: a fixed time for every inference, and no computation."""
    return ",".join(f"{key}={value}" for key, value in {"compute": "off", "timing": f"fixed:{npu_us}", **more}.items())


def floor(model: Path, npu_us: int, runs: int, cores: tuple[int, ...] = CORES) -> Cost:
    """Run the bare C program of ``native/floor.c``: no queue, one thread per core."""
    command = [str(_floor_program()), str(SIMULATOR_LIBRARY), str(model), str(runs), *(str(1 << c) for c in cores)]
    environment = {**os.environ, "EZ_RKNN_SIMULATOR": settings(npu_us)}
    printed = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    return Cost(**json.loads(printed))


def _floor_program() -> Path:
    program, source = BUILD / "floor", ROOT / "benchmarks" / "native" / "floor.c"
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        BUILD.mkdir(parents=True, exist_ok=True)
        compiler = os.environ.get("CC", "cc")
        command = [compiler, "-O2", "-I", str(NATIVE / "include"), str(source), "-o", str(program), "-ldl", "-lpthread"]
        subprocess.run(command, check=True)
    return program


def session(model: Path, npu_us: int, cores: tuple[int, ...] = CORES, **options: Any) -> InferenceSession:
    """Open a session of ours on these cores."""
    simulator = settings(npu_us, **options.pop("simulator", {}))
    chosen = make_provider_options(
        runtime_library="simulator", simulator=simulator, schedule=list(cores), **{"max_queue_size": 8, **options}
    )
    return InferenceSession(model, provider_options=chosen)


def feed_of(opened: Any) -> dict[str, Any]:
    """Return zeros for every input of a session."""
    return {i.name: np.zeros(i.shape, np.float32) for i in opened.get_inputs()}


def cost_of(loop: Callable[[Any, Any, int], None], opened: Any, feed: Any, runs: int) -> Cost:
    """Measure a loop of :mod:`modes`."""
    clock, cpu = time.perf_counter(), time.process_time()
    loop(opened, feed, runs)
    return Cost(time.perf_counter() - clock, time.process_time() - cpu, runs)


class Peer:
    """The library that this one replaces, unmodified, in its own process and environment."""

    def __init__(self, python: str) -> None:
        """Use ``python``, an interpreter that has the library."""
        self._python = python

    @classmethod
    def find(cls) -> Peer | None:
        """Return the one that the environment names (``make bench`` sets it), if any."""
        python = os.environ.get("EZ_RKNN_PEER_PYTHON")
        return cls(python) if python else None

    def cost(self, loop: str, model: Path, npu_us: int, runs: int, cores: tuple[int, ...] = CORES) -> Cost:
        """Measure a loop of :mod:`modes` there."""
        program = Path(__file__).with_name("peer.py")
        command = [self._python, str(program), loop, str(model), str(runs), ",".join(map(str, cores))]
        environment = {
            **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            "EZ_RKNN_SIMULATOR": settings(npu_us),
            "ZTU_RKNPU2_RUNTIME_LIBRARY": str(SIMULATOR_LIBRARY),
            "EZ_RKNN_PYTHON": sys.executable,
        }
        printed = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
        return Cost(**json.loads(printed))


def in_turns(*measure: Callable[[], float], rounds: int = ROUNDS) -> list[list[float]]:
    """Return each measurement's values, taken in turns."""
    values: list[list[float]] = [[] for _ in measure]
    for _ in range(rounds):
        for taken, each in zip(values, measure):
            taken.append(each())
    return values


def ratio(ours: Callable[[], float], theirs: Callable[[], float], rounds: int = ROUNDS) -> float:
    """Return ours by theirs: the median over the turns."""
    return float(statistics.median(a / b for a, b in zip(*in_turns(ours, theirs, rounds=rounds))))
