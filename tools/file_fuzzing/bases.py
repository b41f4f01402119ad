# SPDX-License-Identifier: Apache-2.0
"""The good models from which variants are made."""

from __future__ import annotations

from pathlib import Path

from ez_rknn_async.errors import RknnModelError
from ez_rknn_async.model import load

ROOT = Path(__file__).resolve().parents[2]
_DATA = ROOT / "tests" / "data"
_BESIDE = ROOT.parent / "shared"
_LARGEST = 200_000  # bytes: larger models have more of the same, and take longer
_COLLECTIONS = ("zoo/*/*.rknn", "golden/models/*.rknn", "cases/models/*.rknn")


def base_models(collections: bool = True) -> list[Path]:
    """Return every small model of ``tests/data`` and, with ``collections``, one of each folder of ``../shared``."""
    chosen = sorted(_DATA.glob("*.rknn"))
    if collections:
        for pattern in _COLLECTIONS:
            chosen += _one_of_each_kind(sorted(_BESIDE.glob(pattern)))
    return [path for path in chosen if path.stat().st_size <= _LARGEST and _is_executable(path)]


def _one_of_each_kind(paths: list[Path]) -> list[Path]:
    """Return, of models that differ in precision only, the int8 one and the float16 one by turns."""
    groups: dict[str, list[Path]] = {}
    for path in paths:
        name = path.parent.name if path.parent.parent.name == "zoo" else path.stem.rpartition("_")[0] or path.stem
        groups.setdefault(name, []).append(path)
    return [group[place % len(group)] for place, group in enumerate(groups.values())]


def _is_executable(path: Path) -> bool:
    """Check if the model has all that a session needs: no borrowed weights."""
    try:
        with load(path) as model:
            graph = model.graphs[0]
            return all(model.has_data(graph, tensor) for tensor in graph.tensors if tensor.buffer)
    except RknnModelError:
        return False
