# SPDX-License-Identifier: Apache-2.0
"""The verification of a file that was converted before, here or elsewhere."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..model import load
from ..model.format.author_metadata import metadata_beside, metadata_in
from .calibration import inspect_samples, read_samples
from .inspection import inspect
from .metadata import KEY
from .original import Original, cut, read, with_shapes
from .recipe import TARGETS, Recipe
from .verification import Request, verify

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from ..model import Model
    from .report import ConversionReport

# Findings that say something about a file that exists already.
_LASTING = ("double-normalisation", "color-order", "mean-scale", "mixed-head", "second-reader")


def verify_existing(
    compiled: Path,
    original: Path,
    inputs: Sequence[Mapping[str, NDArray[Any]]],
    images: Sequence[str],
    min_cosine: float,
    verify_on: str | None,
) -> ConversionReport:
    """Verify a compiled file against its original."""
    with load(os.fspath(compiled)) as model:
        recipe = recipe_of(model, compiled, original, images)
        shapes = _shapes(model)
        names = [model.graphs[0].tensors[index].name for index in model.graphs[0].outputs]
    source = _like_the_file(read(original), shapes, names)
    samples = [*inputs, *read_samples(recipe, source.inputs)]
    with tempfile.TemporaryDirectory(prefix="ezrknn-verify-") as folder:
        path = Path(folder) / "model.onnx"
        source.save(path)
        report = verify(Request(compiled, path, os.fspath(original), samples, min_cosine, verify_on))
    findings = [*inspect(source, recipe), *inspect_samples(samples, recipe)]
    return report.with_findings([finding for finding in findings if finding.code in _LASTING])


def _shapes(model: Model) -> dict[str, tuple[int, ...]]:
    graph = model.graphs[0]
    return {graph.tensors[index].name: graph.tensors[index].shape for index in graph.inputs}


def _like_the_file(original: Original, shapes: Mapping[str, tuple[int, ...]], outputs: Sequence[str]) -> Original:
    """Give the original the file's shapes, and its outputs if it was cut."""
    open_ones = {port.name: shapes[port.name] for port in original.inputs if not port.is_fixed and port.name in shapes}
    fixed = with_shapes(original, open_ones)
    known = {name for node in fixed.graph.node for name in node.output}
    if {port.name for port in fixed.outputs} == set(outputs) or not known.issuperset(outputs):
        return fixed
    return cut(fixed, outputs)


def recipe_of(model: Model, compiled: Path, original: Path, images: Sequence[str]) -> Recipe:
    """Return the recipe of a file as far as the file and its metadata tell it."""
    prepared = preparation(model, os.fspath(compiled))
    first = next((each for each in model.graphs[0].preprocessing if each is not None), None)
    graph = model.graphs[0]
    channels = graph.tensors[graph.inputs[0]].shape[1] if len(graph.tensors[graph.inputs[0]].shape) > 1 else 1
    target = model.target_platform
    return Recipe(
        model=os.fspath(original),
        targets=(target if target in TARGETS else TARGETS[0],),
        dtype=None if images else "fp16",
        images=tuple(images),
        mean=tuple(first.mean[:channels]) if first else (),
        std=tuple(first.std[:channels]) if first else (),
        color=prepared.get("color", "rgb"),
        resize=prepared.get("resize", "letterbox"),
        pad=prepared.get("pad", 114),
    )


def preparation(model: Model, path: str) -> dict[str, Any]:
    """Return how the first image input is prepared, by the file's metadata; empty if it does not say."""
    text = {**metadata_beside(path), **metadata_in(model.custom_string)}.get(KEY, "{}")
    try:
        inputs = json.loads(text)
    except ValueError:
        return {}
    first: Any = next(iter(inputs.values()), {}) if isinstance(inputs, dict) else {}
    return first if isinstance(first, dict) else {}
