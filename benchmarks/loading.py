# SPDX-License-Identifier: Apache-2.0
"""The time and memory for loading and running large models on the simulated NPU: ``make bench-loading``.

End to end: a session is opened and run as a program would, in its own process; the device process that it starts is
measured too. Speed is compared with the original model in ONNX Runtime with as many threads, in turns, if it lies
beside the compiled one (``NAME.onnx``). The models are too large for the repository::

    python benchmarks/loading.py resnet50_v2.rk3588.rknn resnet50_v2.rk3588.fp16.rknn [--publish]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

import numpy as np
import onnxruntime as ort
from rig import ROOT, TINY

from ez_rknn_async import InferenceSession, make_provider_options
from ez_rknn_async.cli.table import Table

# The goals. Float16 is computed in float32, which is twice the file: they allow one copy of that and no more.
SECONDS, TIMES_THE_SPEED = 3.0, 0.5
TIMES_THE_FILE = {"int8": 6.0, "fp16": 4.0}
ROUNDS = 15
CORES = (1, 2)  # that share one inference: as many threads
PAGE = ROOT / "docs" / "reference" / "simulator.md"
_BEGIN, _END = "<!-- figures: written by make bench-loading -->\n", "<!-- end of figures -->"


@dataclass(frozen=True)
class Figure:
    """One cell of the table."""

    case: str
    value: str
    met: bool = True


def opened(model: Path, cores: int = 1) -> InferenceSession:
    """Open a session on the simulated NPU, with computation, on as many cores together."""
    placed: dict[str, Any] = {"schedule": [0]} if cores == 1 else {"tp_mode": ",".join(map(str, range(cores)))}
    options = make_provider_options(runtime_library="simulator", simulator={"compute": "on"}, **placed)
    return InferenceSession(model, provider_options=options)


def memory(process: int | str, field: str = "VmHWM") -> int:
    """Return a process's peak memory in bytes, including mapped files, or another field of its status."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) << 10
    raise RuntimeError(f"the kernel does not report {field}")


def load_here(model: Path) -> dict[str, float]:
    """Return the memory that loading adds to this process and its device process, after both loaded a tiny model."""
    with opened(TINY) as tiny:
        _run(tiny)()
        device = _child()
        before = {"host": memory("self"), "device": memory(device)}
        begin = time.perf_counter()
        with opened(model) as session:
            seconds = time.perf_counter() - begin
            loaded = {"host": memory("self"), "device": memory(device)}
            _run(session)()
            run = memory(device)
            with opened(model, 2) as together:
                shared = memory(device, "VmRSS")
                _run(together)()
                several = memory(device, "VmRSS") - shared
    return {
        "seconds": seconds,
        "host": loaded["host"] - before["host"],
        "device": loaded["device"] - before["device"],
        "device, idle": before["device"],
        "device, after a run": run - before["device"],
        "second session": several,
    }


def _child() -> int:
    """Return the device process, the only child of this process."""
    tasks = Path("/proc/self/task").glob("*/children")
    (child,) = (int(number) for children in tasks for number in children.read_text().split())
    return child


def load_elsewhere(model: Path) -> dict[str, float]:
    """Measure the same in another process: the peak of memory can be measured only once."""
    command = [sys.executable, __file__, "--load", str(model)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    taken: dict[str, float] = json.loads(printed)
    return taken


def _run(session: Any) -> Callable[[], object]:
    """Return a call that runs one inference on random inputs."""
    random = np.random.default_rng(0)
    feed = {
        value.name: random.random([int(size) for size in value.shape], np.float32) for value in session.get_inputs()
    }
    return lambda: session.run(None, feed)


def original(path: Path, threads: int) -> ort.InferenceSession:
    """Open ONNX Runtime as a user would, with a number of threads."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def speed(model: Path, onnx: Path, threads: int) -> tuple[float, float]:
    """Return the milliseconds of an inference, ours and the original's: medians of alternating runs."""
    with opened(model, threads) as session:
        runs = (_run(session), _run(original(onnx, threads)))
        taken: tuple[list[float], list[float]] = ([], [])
        for round_ in range(ROUNDS + 2):
            for run, times in zip(runs, taken):
                begin = time.perf_counter()
                run()
                if round_ >= 2:
                    times.append(1e3 * (time.perf_counter() - begin))
    return statistics.median(taken[0]), statistics.median(taken[1])


def figures(model: Path) -> list[Figure]:
    """Return all figures of one model."""
    size, taken = model.stat().st_size, load_elsewhere(model)
    times = {name: value / size for name, value in taken.items() if name != "seconds"}
    goal = TIMES_THE_FILE[_precision(model)]
    rows = [
        Figure("the file", f"{size / 1e6:.1f} MB"),
        Figure("opening a session", f"{taken['seconds']:.2f} s", taken["seconds"] <= SECONDS),
        _memory("device process, peak while loading", times["device"], goal),
        _memory("device process, peak after a run", times["device, after a run"]),
        _memory("host process, peak while loading", times["host"], goal),
        _memory("device process, for cores that work together", times["second session"]),
        Figure("device process, before any model", f"{taken['device, idle'] / 1e6:.0f} MB"),
    ]
    onnx = model.with_name(model.name.split(".")[0]).with_suffix(".onnx")
    for threads in CORES if onnx.exists() else ():
        ours, theirs = speed(model, onnx, threads)
        value = f"{theirs / ours:.2f} ({ours:.0f} ms, the original {theirs:.0f} ms)"
        rows.append(Figure(f"speed of an inference, {_threads(threads)}", value, theirs / ours >= TIMES_THE_SPEED))
    return rows


def _precision(model: Path) -> str:
    return "fp16" if ".fp16." in model.name else "int8"


def _threads(number: int) -> str:
    return f"{number} thread{'s' if number > 1 else ''}"


def _memory(case: str, times: float, goal: float = float("inf")) -> Figure:
    return Figure(case, f"{times:.1f} x file", times <= goal)


def _goals() -> dict[str, str]:
    """Return the goals, by case."""
    memory = "≤ " + ", ".join(f"{times:g} x file ({precision})" for precision, times in TIMES_THE_FILE.items())
    return {
        "opening a session": f"≤ {SECONDS:g} s",
        "device process, peak while loading": memory,
        "host process, peak while loading": memory,
        **{f"speed of an inference, {_threads(threads)}": f"≥ {TIMES_THE_SPEED:g}" for threads in CORES},
    }


def table(columns: dict[str, list[Figure]], missed: str) -> list[list[str]]:
    """Return the heading and the rows: case, goal, and each model's value, with a mark if it misses the goal."""
    goals = _goals()
    values: dict[str, list[str]] = {}
    for figures_ in columns.values():
        for figure in figures_:
            values.setdefault(figure.case, []).append(figure.value if figure.met else figure.value + missed)
    return [["", "goal", *columns], *([case, goals.get(case, ""), *cells] for case, cells in values.items())]


def publish(columns: dict[str, list[Figure]]) -> None:
    """Write the table into the reference."""
    heading, *rows = [f"| {' | '.join(cells)} |" for cells in table(columns, " **(missed)**")]
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(_BEGIN)
    lines = "\n".join([heading, "|---" * (2 + len(columns)) + "|", *rows])
    PAGE.write_text(f"{before}{_BEGIN}\n{lines}\n\n{_END}{rest.split(_END)[1]}", encoding="utf-8")


def main() -> int:
    """Measure and print; return status 0 if all goals are met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", type=Path, nargs="+", help="NAME.TARGET.rknn or NAME.TARGET.fp16.rknn")
    parser.add_argument("--publish", action="store_true", help="write the table into docs/reference/simulator.md")
    parser.add_argument("--load", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.load:
        print(json.dumps(load_here(*arguments.models)))
        return 0
    columns = {f"{model.name.split('.')[0]}, {_precision(model)}": figures(model) for model in arguments.models}
    heading, *rows = table(columns, " missed")
    shown = Table(heading)
    for row in rows:
        shown.row(*row)
    print(shown.render())
    if arguments.publish:
        publish(columns)
    return 0 if all(figure.met for rows in columns.values() for figure in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
