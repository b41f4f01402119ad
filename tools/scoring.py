# SPDX-License-Identifier: Apache-2.0
"""A comparison of the simulated NPU's results for compiled models with the official simulator's."""

from __future__ import annotations

import functools
import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from known_differences import known_differences

from ez_rknn_async import InferenceSession, RknnError, make_provider_options

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from ez_rknn_async import NodeArg

REQUIRED = {"fp16: cosine": 0.99, "int8: cosine": 0.995, "int8: within 2 steps": 0.97}
STEPS = 2.01  # of an output's scale: two, plus the error of float32
LEAST_COSINE = {"fp16": 0.9999, "int8": 0.999}
TOTAL = "total"

Marks = dict[str, list[bool]]  # for each line of the score, whether each of its models passed


class Difference(NamedTuple):
    """The difference between one output and the official simulator's."""

    cosine: float  # of the angle between the two
    largest: float  # error, in units of the range
    steps: float  # the same error in units of the output's scale; 0 where it is not quantised


def compare(folder: Path) -> bool:
    """Print a line for each model that is too far off, and the score; return True if enough are near enough."""
    marks: defaultdict[str, Marks] = defaultdict(lambda: {name: [] for name in REQUIRED})
    refused: defaultdict[str, int] = defaultdict(int)
    for described in json.loads((folder / "manifest.json").read_text())["models"]:
        kind = described.get("kind", TOTAL)
        if "refused" in described:
            print(f"{label(described)}  not compiled: {described['refused']}")
            for group in {kind, TOTAL}:
                refused[group] += 1
            continue
        near, exact = compare_model(folder, described)
        for group in {kind, TOTAL}:
            marks[group][f"{described['precision']}: cosine"].append(near)
            if described["precision"] == "int8":
                marks[group]["int8: within 2 steps"].append(exact)
    for kind in sorted({*marks, *refused}, key=lambda kind: (kind == TOTAL, kind)):
        print_score(kind, marks[kind], refused[kind])
    return all(sum(good) >= REQUIRED[name] * len(good) for name, good in marks[TOTAL].items())


def label(described: dict[str, Any]) -> str:
    """Return name, form, SoC and precision."""
    form = f"{described['kind']} {described['form']}" if "kind" in described else ""
    return f"{described['name']:12} {form:30} {described['target']:7} {described['precision']}"


def print_score(kind: str, marks: Marks, refused: int) -> None:
    """Print one line for each precision and measure of one kind."""
    for name, good in marks.items():
        if good:
            share = f"{sum(good):4} of {len(good):4}  {sum(good) / len(good):7.2%}"
            print(f"{kind:9} {name:21} {share}" + (f"  required {REQUIRED[name]:.1%}" if kind == TOTAL else ""))
    if refused:
        print(f"{kind:9} not compiled         {refused:4}")


def compare_model(folder: Path, described: dict[str, Any]) -> tuple[bool, bool]:
    """Run one model on the simulated NPU; check if the angle is small enough, and each element near enough."""
    try:
        found = list(differences(folder, described))
    except RknnError as error:
        print(f"{label(described)}  {error}")
        return False, False
    worst, steps = min(found), max(difference.steps for difference in found)
    good = worst.cosine >= LEAST_COSINE[described["precision"]], steps <= STEPS
    if not all(good):
        print(
            f"{label(described)}  cosine {worst.cosine:.6f}"
            f"  largest error {worst.largest:.4f} of the range, {steps:.0f} steps"
        )
        for reason in known_differences(folder / described["file"]):
            print(f"    {reason}")
    return good


def differences(folder: Path, described: dict[str, Any]) -> Iterator[Difference]:
    """Yield the difference for each case and output of one model."""
    options = make_provider_options(runtime_library="simulator")
    recording = np.load(folder / described["recording"])
    names = [value["name"] for value in described["outputs"]]
    quantised = described["precision"] == "int8" and "mean_values" not in described["config"]
    with InferenceSession(folder / described["file"], provider_options=options) as session:
        scales = {port.name: port.quantization.scale for port in session.get_outputs() if port.quantization}
        for case in range(described["cases"]):
            read = functools.partial("case{}_{}{}".format, case)
            feed = {value["name"]: recording[read("input", i)] for i, value in enumerate(described["inputs"])}
            if quantised:
                feed = {port.name: as_quantised(feed[port.name], port) for port in session.get_inputs()}
            for index, output in enumerate(session.run(names, feed)):
                yield difference(output, recording[read("output", index)], scales.get(names[index], 0.0))


def as_quantised(values: NDArray[Any], port: NodeArg) -> NDArray[Any]:
    """Round an input as the official simulator does; runtimes round images in fixed point, which is not tested here."""
    if port.quantization is None or port.dtype != "int8":
        return values
    steps = np.rint(values / np.float32(port.quantization.scale)) + port.quantization.zero_point
    rounded: NDArray[Any] = np.clip(steps, -128, 127).astype(np.int8)
    return rounded


def difference(ours: NDArray[Any], official: NDArray[Any], scale: float) -> Difference:
    """Compare two arrays of the same shape; ``scale`` is the output's, 0 if it has none."""
    a, b = ours.ravel().astype(np.float64), official.ravel().astype(np.float64)
    if np.array_equal(a, b, equal_nan=True):
        return Difference(1.0, 0.0, 0.0)
    finite = np.isfinite(b)
    if not np.array_equal(a[~finite], b[~finite], equal_nan=True) or not np.isfinite(a[finite]).all():
        return Difference(0.0, float("inf"), float("inf") if scale else 0.0)  # one overflows where the other does not
    a, b = a[finite], b[finite]
    norm = np.linalg.norm(a) * np.linalg.norm(b)
    spread = np.ptp(b) or 1.0
    error = float(np.abs(a - b).max())
    return Difference(float(a @ b / norm) if norm else 0.0, error / spread, error / scale if scale else 0.0)
