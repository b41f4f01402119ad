# SPDX-License-Identifier: Apache-2.0
"""Direct I/O and copying give the same results: the comparison, and a run over a whole folder of models.

``python -m tests.session.io_modes ZOO`` (``make test-direct``) compares every model that loads, and prints those that
differ and those that are copied in both modes. The status is 0 when none differs but for the vendor's own defect.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ez_rknn_async import InferenceSession, RknnModelError, make_provider_options
from ez_rknn_async._tensors.channel_normalisation import is_mistaken
from ez_rknn_async._transport.copying import Copying
from ez_rknn_async._transport.direct import Direct
from ez_rknn_async.model import load

KINDS = ("float32", "float16", "uint8", "int8", "float64", "int32", "bool")
INTEGERS = ("int64", "int32", "bool")  # of tensors that accept nothing else


def transport(session: InferenceSession) -> Direct | Copying:
    """Return how the tensors of this session are transported."""
    used = session._deployment.executor.transport
    assert isinstance(used, (Direct, Copying))
    return used


class Verdict(NamedTuple):
    """The result of a comparison."""

    is_direct: bool  # in mode "auto"
    is_same: bool  # byte for byte


def options(io_mode: str, **more: Any) -> dict[str, Any]:
    """Provider options for the simulated NPU."""
    return make_provider_options(runtime_library="simulator", io_mode=io_mode, **more)


def feeds(session: InferenceSession, kinds: tuple[str, ...] = KINDS) -> Iterator[dict[str, Any]]:
    """Return a feed of each kind of array for each set of shapes, with values out of range, and NaNs."""
    generator = np.random.default_rng(7)
    for shapes in session.get_input_shapes():
        for kind in kinds:
            yield {
                argument.name: _values(generator, shapes[argument.name], argument.dtype, kind)
                for argument in session.get_inputs()
            }


def _values(generator: np.random.Generator, shape: list[int], dtype: str, kind: str) -> Any:
    if dtype in INTEGERS:
        return generator.integers(0, 2, shape)
    values = generator.normal(20, 100, shape)
    if kind in ("int8", "uint8"):
        return np.clip(values, -100, 255).astype(kind) if kind == "uint8" else np.clip(values, -128, 127).astype(kind)
    if kind == "float32" and values.size >= 4:
        values.flat[:4] = np.nan, np.inf, -np.inf, -0.0
    return values.astype(kind)


def compare(path: Path, lender: Path | None = None) -> Verdict:
    """Run a model in both modes.

    Raises:
        RknnModelError: it does not load.
    """
    _, copied = _results(path, "copy", lender)
    is_direct, direct = _results(path, "auto", lender)
    same = len(copied) == len(direct) > 0 and all(
        a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes() for a, b in zip(copied, direct)
    )
    return Verdict(is_direct, same)


def _results(path: Path, io_mode: str, lender: Path | None) -> tuple[bool, list[Any]]:
    if lender is not None:
        with InferenceSession(lender, provider_options=options("copy")) as master:
            return _run(InferenceSession(path, provider_options=options(io_mode), use_weight_from=master))
    return _run(InferenceSession(path, provider_options=options(io_mode)))


def _run(session: InferenceSession) -> tuple[bool, list[Any]]:
    with session, warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".* was given NaN", UserWarning)  # the difference is deliberate
        outputs = [
            array
            for feed in feeds(session)
            for dtype in ("float32", "native")
            for array in session.run(None, feed, {"output_dtype": dtype})
        ]
        return isinstance(transport(session), Direct), outputs


def _is_normalised_here(path: Path) -> bool:
    """True if the copies' numbers differ in the last place: float16 of five and more channels with statistics."""
    with load(path) as model:
        return any(p is not None and is_mistaken(p) for p in model.graphs[0].preprocessing)


def _lender(path: Path) -> Path | None:
    """Return the model that has the weights of a model compiled without."""
    return path.with_name(path.name.replace("nowt_", "")) if path.name.startswith("nowt_") else None


def main(folder: Path) -> int:
    """Compare every model below a folder."""
    counts = {"direct": 0, "copied": 0, "normalised here": 0, "refused": 0, "different": 0}
    for path in sorted(folder.rglob("*.rknn")):
        name = path.relative_to(folder)
        try:
            verdict = compare(path, _lender(path))
        except RknnModelError as error:
            counts["refused"] += 1
            print(f"refused    {name}: {error}")
            continue
        if verdict.is_same:
            counts["direct" if verdict.is_direct else "copied"] += 1
        else:
            kind = "normalised here" if _is_normalised_here(path) else "different"
            counts[kind] += 1
            print(f"{kind:10} {name}")
    print(", ".join(f"{count} {kind}" for kind, count in counts.items()))
    return 1 if counts["different"] or not counts["direct"] else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
