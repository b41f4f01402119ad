# SPDX-License-Identifier: Apache-2.0
"""One compiled model on the simulated NPU: how near, whether it means the same, how fast, how large.

Each is measured in a process of its own, so that memory is the model's and a crash is one model's.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scoring import Difference, as_quantised, difference

from ez_rknn_async import InferenceSession, RknnError, make_provider_options

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from .model import Agreement, RealModel

TINY = Path(__file__).resolve().parents[2] / "tests" / "data" / "tiny_conv_int8.rknn"
SMALLEST = 2.0**-24  # of float16
ROUNDS, SPENT = 40, 1.5  # of both in turns, and the seconds after which there are no more: other programs run too
PATIENCE = 600.0  # seconds for one model


@dataclass(frozen=True)
class Nearness:
    """One output over all cases; ``noise`` is the official simulator against itself, 1 where it was not recorded."""

    name: str
    cosine: float  # the least
    steps: float  # the largest, 0 where the output is not quantised
    noise: float  # the least cosine
    finite: bool = True  # everything official


@dataclass(frozen=True)
class Measured:
    """One compiled model; ``refused`` says why there is nothing else."""

    name: str
    refused: str = ""
    outputs: tuple[Nearness, ...] = ()
    same: int = 0  # cases of which the result means the same as the official one
    same_with_noise: int = 0  # cases of which the official one still does when its input is disturbed
    cases: int = 0
    seconds: float = 0.0  # until it is open
    milliseconds: float = 0.0  # of an inference on one core, which is one thread
    original: float = 0.0  # of the float original in ONNX Runtime with one thread
    megabytes: float = 0.0  # that the device process has grown by
    known: list[str] = field(default_factory=list)  # differences of its layers that no runtime can avoid


class Case(NamedTuple):
    """Outputs for one input: ours, the official ones, and the official ones for each draw of noise."""

    ours: list[NDArray[Any]]
    official: list[NDArray[Any]]
    noisy: list[list[NDArray[Any]]]


def measure_elsewhere(tool: Path, folder: Path, name: str) -> Measured:
    """Measure in another process."""
    command = [sys.executable, str(tool), "measure", str(folder), name]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        return Measured(name, refused=f"no end after {PATIENCE:.0f} s")
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no reason given"]
        return Measured(name, refused=f"ended with status {done.returncode}: {lines[-1][:300]}")
    return read_measured(done.stdout)


def read_measured(text: str) -> Measured:
    """Read what :func:`measure` has printed."""
    taken = json.loads(text)
    return Measured(**{**taken, "outputs": tuple(Nearness(**output) for output in taken["outputs"])})


def measure(folder: Path, name: str, models: Sequence[RealModel]) -> None:
    """Measure here and print the result as JSON."""
    entries = json.loads((folder / "manifest.json").read_text())["models"]
    (entry,) = (entry for entry in entries if entry["name"] == name)
    (model,) = (model for model in models if model.name == entry["model"])
    print(json.dumps(asdict(_measured(folder, entry, model.same))))


def _measured(folder: Path, entry: Mapping[str, Any], same: Agreement) -> Measured:
    from known_differences import known_differences

    recording = np.load(folder / entry["recording"])
    try:
        with _opened(TINY):  # the device process is started once, whatever is opened
            pass
        began = time.perf_counter()
        with _opened(folder / entry["file"]) as session:
            seconds = time.perf_counter() - began
            cases = list(_cases(session, entry, recording))
            timing = _speed(session, entry, folder, recording)
            memory = _device_memory()
    except RknnError as error:
        return Measured(entry["name"], refused=str(error))
    scales = [port.quantization.scale if port.quantization else 0.0 for port in session.get_outputs()]
    outputs = [
        nearness(output["name"], scale, cases, place)
        for place, (output, scale) in enumerate(zip(entry["outputs"], scales))
    ]
    return Measured(
        name=entry["name"],
        outputs=tuple(outputs),
        same=sum(same(case.ours, case.official) for case in cases),
        same_with_noise=sum(all(same(draw, case.official) for draw in case.noisy) for case in cases),
        cases=len(cases),
        seconds=seconds,
        milliseconds=timing[0],
        original=timing[1],
        megabytes=memory,
        known=known_differences(folder / entry["file"]),
    )


def _opened(path: Path) -> InferenceSession:
    options = make_provider_options(runtime_library="simulator", schedule=[0], simulator={"compute": "on"})
    return InferenceSession(path, provider_options=options)


def _cases(session: InferenceSession, entry: Mapping[str, Any], recording: Mapping[str, Any]) -> Iterator[Case]:
    names = [output["name"] for output in entry["outputs"]]
    for case in range(entry["cases"]):
        official = [recording[f"case{case}_output{i}"] for i in range(len(names))]
        noisy = [[recording[f"case{case}_draw{draw}_{i}"] for i in range(len(names))] for draw in range(entry["draws"])]
        ours = session.run(names, _feed(session, entry, recording, case))
        yield Case([np.asarray(array).reshape(like.shape) for array, like in zip(ours, official)], official, noisy)


def _feed(
    session: InferenceSession, entry: Mapping[str, Any], recording: Mapping[str, Any], case: int
) -> dict[str, NDArray[Any]]:
    given = {value["name"]: recording[f"case{case}_input{i}"] for i, value in enumerate(entry["inputs"])}
    if entry["precision"] != "int8":
        return given
    return {port.name: as_quantised(given[port.name], port) for port in session.get_inputs()}


def nearness(name: str, scale: float, cases: Sequence[Case], place: int) -> Nearness:
    """Compare one output over all cases."""
    ours = [_difference(case.ours[place], case.official[place], scale) for case in cases]
    noise = [_difference(draw[place], case.official[place], scale).cosine for case in cases for draw in case.noisy]
    return Nearness(
        name,
        min(each.cosine for each in ours),
        max(each.steps for each in ours),
        min(noise, default=1.0),
        all(bool(np.isfinite(case.official[place]).all()) for case in cases),
    )


def _difference(ours: NDArray[Any], official: NDArray[Any], scale: float) -> Difference:
    """Compare two arrays; zeros have no angle, so that a step beside them counts as the same, and more as nothing."""
    found = difference(ours, official, scale)
    if official.any() or float(np.abs(ours).max(initial=0)) > max(scale, SMALLEST):
        return found
    return found._replace(cosine=1.0)


def _speed(
    session: InferenceSession, entry: Mapping[str, Any], folder: Path, recording: Mapping[str, Any]
) -> tuple[float, float]:
    """Return the milliseconds of an inference, ours and the original's: the best of alternating runs."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    original = onnxruntime.InferenceSession(
        str(folder / entry["original"]), options, providers=["CPUExecutionProvider"]
    )
    ours = _feed(session, entry, recording, 0)
    theirs = {value["name"]: recording[f"case0_input{i}"] for i, value in enumerate(entry["inputs"])}
    runs: tuple[tuple[Any, Any], ...] = ((session, ours), (original, theirs))
    best = [float("inf"), float("inf")]
    end = time.monotonic() + SPENT
    for round_ in range(ROUNDS):
        if round_ > 2 and time.monotonic() > end:
            break
        for place, (runner, feed) in enumerate(runs):
            began = time.perf_counter()
            runner.run(None, feed)
            best[place] = min(best[place], 1e3 * (time.perf_counter() - began))
    return best[0], best[1]


def _device_memory() -> float:
    """Return the peak of the device process in MB: of the processes that this one has started, the largest."""
    return max(map(_peak, _descendants("self")), default=0.0)


def _descendants(process: str) -> Iterator[str]:
    for children in Path(f"/proc/{process}/task").glob("*/children"):
        for child in children.read_text().split():
            yield child
            yield from _descendants(child)


def _peak(process: str) -> float:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024 / 1e6
