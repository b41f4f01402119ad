# SPDX-License-Identifier: Apache-2.0
"""Compile a network for the shapes that a program uses, as ``record.py`` has recorded them.

Needs ``rknn-toolkit2``, in an environment of its own::

    toolkit/bin/python compile.py RECORDING OUTPUT.rknn [--int8] [--one-sample] [--std 255] [--target rk3588]

RECORDING is one network's folder. A network that is used in several shapes becomes one file with dynamic shapes; with
``--one-sample``, batches of any size are one shape. With ``--int8``, the recorded inputs calibrate it. Nothing is done
if the file is newer than the recording.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

Feed = dict[str, Any]
CALIBRATION = 100  # inputs at most


def main() -> None:
    """Compile what is not there yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recording", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--int8", action="store_true")
    parser.add_argument("--one-sample", action="store_true", help="compile for one sample, whatever the batches are")
    parser.add_argument("--std", type=float, help="divide images by this on the NPU, for programs that do not")
    parser.add_argument("--target", default="rk3588")
    given = parser.parse_args()
    model, *recorded = sorted(given.recording.glob("model.onnx")) + sorted(given.recording.glob("*.npz"))
    if given.output.exists() and given.output.stat().st_mtime >= model.stat().st_mtime:
        return
    feeds = [inputs_of(path) for path in recorded]
    if given.one_sample:
        feeds = [sample for feed in feeds for sample in samples_of(feed)]
    given.output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        config: dict[str, Any] = {"target_platform": given.target}
        if given.std:
            config["std_values"] = [[given.std] * value.shape[1] for value in feeds[0].values()]
        compile_network(model, feeds, given.output, config, dataset(feeds, Path(scratch)) if given.int8 else None)


def inputs_of(path: Path) -> Feed:
    """Return the inputs of one recorded inference, by name."""
    with np.load(path) as arrays:
        return {name[3:]: arrays[name] for name in arrays.files if name.startswith("in:")}


def samples_of(feed: Feed) -> list[Feed]:
    """Return the samples of a batch, each a batch of one."""
    count = min(len(value) for value in feed.values())
    return [{name: value[index : index + 1] for name, value in feed.items()} for index in range(count)]


def shapes_of(feeds: Sequence[Feed]) -> list[list[list[int]]]:
    """Return the different shapes of a network's inputs, the largest first, as the compiler wants them.

    >>> shapes_of([{"x": np.zeros((1, 3))}, {"x": np.zeros((2, 3))}, {"x": np.zeros((1, 3))}])
    [[[2, 3]], [[1, 3]]]
    """
    kinds = {tuple(value.shape for value in feed.values()) for feed in feeds}
    largest_first = sorted(kinds, key=lambda shapes: [np.prod(shape) for shape in shapes], reverse=True)
    return [[list(shape) for shape in shapes] for shapes in largest_first]


def dataset(feeds: Sequence[Feed], folder: Path) -> str:
    """Write the list of files from which the compiler learns the range of each tensor; return its path."""
    lines = []
    (shapes, *_) = shapes_of(feeds)
    chosen = [feed for feed in feeds if [list(value.shape) for value in feed.values()] == shapes]
    for number, feed in enumerate(chosen[:CALIBRATION]):
        files = [folder / f"{number}_{index}.npy" for index in range(len(feed))]
        for file, value in zip(files, feed.values()):
            np.save(file, value)
        lines.append(" ".join(map(str, files)))
    (folder / "dataset.txt").write_text("\n".join(lines) + "\n")
    return str(folder / "dataset.txt")


def compile_network(
    model: Path, feeds: Sequence[Feed], output: Path, config: dict[str, Any], calibration: str | None
) -> None:
    """Compile for all shapes of ``feeds``: int8 with calibration, else float16."""
    from rknn.api import RKNN

    shapes = shapes_of(feeds)
    rknn = RKNN()
    check(rknn.config(**config, dynamic_input=shapes if len(shapes) > 1 else None))
    check(rknn.load_onnx(model=str(model), inputs=list(feeds[0]), input_size_list=shapes[0]))
    check(rknn.build(do_quantization=calibration is not None, dataset=calibration))
    unfinished = output.with_suffix(".unfinished")
    check(rknn.export_rknn(str(unfinished)))
    rknn.release()
    unfinished.replace(output)


def check(status: int) -> None:
    """Exit on failure, which the toolkit reports by a number, with the reason on the console."""
    if status != 0:
        sys.exit("rknn-toolkit2 failed; see above")


if __name__ == "__main__":
    main()
