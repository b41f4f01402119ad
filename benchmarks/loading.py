"""How fast a large model loads and runs in the simulated NPU: decode, lower, open a session; then one inference.

Compares with the original in ONNX Runtime with as many threads, in one run on one machine. The model is given, because
one of this size does not belong into the repository; ``tools/timing`` makes it::

    python benchmarks/loading.py resnet50_v2.rk3588.rknn resnet50_v2.onnx [--threads 1]
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime as ort

from ez_rknn_async.model import load
from ez_rknn_async.simulator.executable import Executable

RUNS = 15
GOALS = "goals: at most 3 s, at most 6 times the file, at least 0.5 times the original's speed"


def load_in_child(path: Path) -> tuple[float, int]:
    """Seconds and bytes that loading adds, in a process of its own: memory has its peak only once."""
    output = subprocess.run([sys.executable, __file__, "--load", str(path)], check=True, capture_output=True, text=True)
    seconds, added = output.stdout.split()
    return float(seconds), int(added)


def print_load(path: Path) -> None:
    """What the child does. Imports are not part of loading."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    with load(path) as model:
        Executable(model)
        seconds = time.perf_counter() - start
    print(seconds, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)


def run_seconds(session: ort.InferenceSession) -> float:
    """The median of some inferences on random inputs."""
    random = np.random.default_rng(0)
    feed = {value.name: _random(random, value) for value in session.get_inputs()}
    times = []
    for _ in range(RUNS + 2):
        start = time.perf_counter()
        session.run(None, feed)
        times.append(time.perf_counter() - start)
    return float(np.median(times[2:]))


def _random(random: np.random.Generator, value: ort.NodeArg) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
    integers = {"tensor(int8)": np.int8, "tensor(uint8)": np.uint8}
    if value.type in integers:
        return random.integers(0, 100, value.shape).astype(integers[value.type])
    return random.random(value.shape).astype(np.float16 if value.type == "tensor(float16)" else np.float32)


def original_session(path: Path, threads: int) -> ort.InferenceSession:
    """ONNX Runtime as anyone would open it, with a number of threads."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="the .rknn file")
    parser.add_argument("original", type=Path, nargs="?", help="the float ONNX file that it was compiled from")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--load", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.load:
        print_load(arguments.model)
        return
    size = arguments.model.stat().st_size
    seconds, added = load_in_child(arguments.model)
    print(f"file {size / 1e6:.1f} MB; loaded in {seconds:.2f} s, peak {added / size:.1f} times the file")
    with load(arguments.model) as model:
        ours = run_seconds(Executable(model).session(0, 0, arguments.threads))
    print(f"one inference {ours * 1e3:.1f} ms with {arguments.threads} thread(s)")
    if arguments.original is not None:
        theirs = run_seconds(original_session(arguments.original, arguments.threads))
        print(f"the original in ONNX Runtime {theirs * 1e3:.1f} ms: {theirs / ours:.2f} times its speed")
    print(GOALS)


if __name__ == "__main__":
    main()
