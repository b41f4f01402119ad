# SPDX-License-Identifier: Apache-2.0
"""Recordings: compiled models with the official simulator's results, described in a manifest.

Needs ``rknn-toolkit2``. ``tests/data/README.md`` explains the files of such a folder.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
from official_compiler import Recipe, compile_model
from onnx import TensorProto

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    import onnx
    from numpy.typing import NDArray

CALIBRATION_SAMPLES = 8
CALIBRATION_SEED = 1000  # of the first sample


@dataclass(frozen=True)
class Entry:
    """One compiled file: a graph and the compiler's options. ``int8`` asks for quantisation.

    ``familiar``: the recorded inputs are calibration samples, so nothing is out of the range that these span.
    ``inputs`` turns normal noise into the inputs.
    """

    name: str
    graph: Callable[[], onnx.ModelProto]
    int8: bool = False
    target: str = "rk3588"
    config: dict[str, Any] = field(default_factory=dict)
    batch: int = 1
    custom_operators: tuple[Any, ...] = ()
    familiar: bool = False
    note: str = ""
    inputs: Callable[[NDArray[np.float32]], NDArray[np.float32]] | None = None

    @property
    def options(self) -> dict[str, Any]:
        """The arguments of the compiler's ``build``."""
        options: dict[str, Any] = {"do_quantization": True} if self.int8 else {}
        return {**options, "rknn_batch_size": self.batch} if self.batch > 1 else options


def make(entry: Entry, folder: Path) -> dict[str, Any]:
    """Compile one model into ``folder``, record the official simulator's outputs, return the manifest's entry."""
    model = entry.graph()
    cases = [inputs_of_case(entry, shapes, case) for case, shapes in enumerate(case_shapes(entry, model))]
    calibration = [
        inputs_for(entry, graph_shapes(model), CALIBRATION_SEED + sample, batch=1)
        for sample in range(CALIBRATION_SAMPLES)
    ]
    recipe = Recipe(
        {"target_platform": entry.target, **entry.config}, entry.options, entry.custom_operators, calibration
    )
    outputs = compile_model(model, recipe, folder / f"{entry.name}.rknn", cases)
    record(folder / f"{entry.name}.npz", cases, outputs)
    return describe(entry, model, outputs)


def graph_shapes(model: onnx.ModelProto) -> list[tuple[list[int], int]]:
    """Return shape and ONNX element type of every input."""
    types = [value.type.tensor_type for value in model.graph.input]
    return [([dim.dim_value for dim in tensor.shape.dim], tensor.elem_type) for tensor in types]


def file_inputs(entry: Entry, model: onnx.ModelProto) -> list[tuple[str, list[int], int]]:
    """Return name, shape and ONNX element type of the compiled inputs: the graph's, or the planes of NV12."""
    given = [(value.name, *shape) for value, shape in zip(model.graph.input, graph_shapes(model))]
    if "inputs_yuv_fmt" not in entry.config:
        return given
    ((name, (batch, _, height, width), dtype),) = given
    luma, chroma = [batch, 1, height, width], [batch, 1, height // 2, width]
    return [(f"{name}_y_channel", luma, dtype), (f"{name}_uv_channel", chroma, dtype)]


def case_shapes(entry: Entry, model: onnx.ModelProto) -> Iterable[list[tuple[list[int], int]]]:
    """Yield the input shapes to record outputs for: each legal set of a dynamic model, else those of the file."""
    fixed = [(shape, dtype) for _, shape, dtype in file_inputs(entry, model)]
    for shapes in entry.config.get("dynamic_input", [[shape for shape, _ in fixed]]):
        yield [(shape, dtype) for shape, (_, dtype) in zip(shapes, fixed)]


def inputs_of_case(entry: Entry, shapes: Sequence[tuple[list[int], int]], case: int) -> list[NDArray[Any]]:
    """Return the inputs to record: random ones, or the first samples of the calibration."""
    if not entry.familiar:
        return inputs_for(entry, shapes, case)
    samples = [inputs_for(entry, shapes, CALIBRATION_SEED + sample, batch=1) for sample in range(entry.batch)]
    return [np.concatenate(parts) for parts in zip(*samples)]


def inputs_for(
    entry: Entry, shapes: Sequence[tuple[list[int], int]], seed: int, batch: int | None = None
) -> list[NDArray[Any]]:
    """Return random inputs: token ids, image values if the model subtracts a mean, else a normal distribution."""
    random = np.random.default_rng([zlib.crc32(entry.name.encode()), seed])
    arrays: list[NDArray[Any]] = []
    for shape, dtype in shapes:
        size = [(batch or entry.batch) * shape[0], *shape[1:]]
        if dtype == TensorProto.INT64:
            arrays.append(random.integers(0, 20, size))
        elif "mean_values" in entry.config:
            arrays.append(random.integers(0, 256, size).astype(np.float32))
        else:
            drawn = noise(random, size)
            arrays.append(entry.inputs(drawn) if entry.inputs else drawn)
    return arrays


def noise(random: np.random.Generator, size: Sequence[int]) -> NDArray[np.float32]:
    """Return normal noise; on a large image in squares of one value each, so that the recording stays small."""
    square = 14 if len(size) > 2 and min(size[-2:]) > 64 else 1
    coarse = random.standard_normal([*size[:-2], *(-(-extent // square) for extent in size[-2:])])
    fine = coarse.repeat(square, axis=-1)
    fine = fine.repeat(square, axis=-2) if len(size) > 2 else fine
    return fine[tuple(map(slice, size))].astype(np.float32)


def record(
    path: Path,
    cases: Sequence[Sequence[NDArray[Any]]],
    outputs: Sequence[Sequence[NDArray[Any]]],
    others: Mapping[str, Sequence[Sequence[NDArray[Any]]]] | None = None,
) -> None:
    """Write ``case<i>_input<j>`` and ``case<i>_output<j>`` for every case, and other arrays under other names."""
    arrays: dict[str, Any] = {}
    for kind, recorded in (("input", cases), ("output", outputs), *(others or {}).items()):
        for case, values in enumerate(recorded):
            arrays.update({f"case{case}_{kind}{index}": value for index, value in enumerate(values)})
    np.savez_compressed(path, **arrays)


def describe(entry: Entry, model: onnx.ModelProto, outputs: Sequence[Sequence[NDArray[Any]]]) -> dict[str, Any]:
    """Return the manifest's entry, with the shapes of the inputs before compiling and of the first case's outputs."""
    dtypes: dict[int, str] = {TensorProto.FLOAT: "float32", TensorProto.INT64: "int64"}
    return {
        "name": entry.name,
        "file": f"{entry.name}.rknn",
        "recording": f"{entry.name}.npz",
        "cases": len(outputs),
        "target": entry.target,
        "precision": "int8" if entry.int8 else "fp16",
        "config": entry.config,
        "build": entry.options,
        "batch": entry.batch,
        "inputs": [
            {"name": name, "shape": shape, "dtype": dtypes[dtype]} for name, shape, dtype in file_inputs(entry, model)
        ],
        "outputs": [
            {"name": value.name, "shape": list(output.shape), "dtype": str(output.dtype)}
            for value, output in zip(model.graph.output, outputs[0])
        ],
        "note": entry.note,
    }


def write_manifest(folder: Path, models: Sequence[dict[str, Any]]) -> None:
    """Write the manifest of ``models`` into ``folder``."""
    manifest = {
        "compiler": f"rknn-toolkit2 {version('rknn-toolkit2')}",
        "recorded_with": "the compiler's simulator (init_runtime without a target), inputs in NCHW",
        "models": list(models),
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")
