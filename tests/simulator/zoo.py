# SPDX-License-Identifier: Apache-2.0
"""The zoo: models compiled by the official compiler, with the official simulator's recorded results.

``python tests/simulator/zoo.py [ZOO] [--variant V]... [--model PATTERN]`` (``make test-zoo``) prints the score for each
variant, and every model below the line with the reason. The line: cosine 0.9999 for floating-point models, 0.999 and
two units of the output's scale for quantised ones. The status is 0 if enough models are above it (:data:`REQUIRED`).
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ez_rknn_async.errors import RknnModelError
from ez_rknn_async.model import load
from ez_rknn_async.simulator.executable import open_session
from ez_rknn_async.simulator.lowering import lower
from ez_rknn_async.simulator.lowering.grid import grid_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from ez_rknn_async.model import Model

    Arrays = dict[str, NDArray[Any]]

STEPS = 2.01  # of an output's scale: two, and what float32 adds
REQUIRED = {"floating-point: cosine": 0.99, "int8: cosine": 0.995, "int8: within 2 steps": 0.97}
UNDOCUMENTED = ("mini",)  # variants in an unknown container, which are refused with a clear error


@dataclass(frozen=True)
class Case:
    """One compiled variant of one model, with its recorded inputs and outputs."""

    folder: Path
    entry: dict[str, Any]  # of the manifest

    @property
    def model(self) -> str:
        return self.folder.name

    @property
    def variant(self) -> str:
        return str(self.entry["variant"])

    @property
    def path(self) -> Path:
        return self.folder / f"{self.variant}.rknn"

    @contextmanager
    def opened(self) -> Iterator[Model]:
        """Open the model; one without weights uses those of the variant that it was compiled with, beside it."""
        with ExitStack() as files:
            model = files.enter_context(load(str(self.path)))
            if self.variant.startswith("nowt_"):
                master = self.folder / f"{self.variant[len('nowt_') :]}.rknn"
                model = model.with_weights_from(files.enter_context(load(str(master))))
            yield model

    def inputs(self, sample: int) -> Arrays:
        prefix = f"in_{sample}_"
        return {path.stem[len(prefix) :]: np.load(path) for path in self.folder.glob(f"{prefix}*.npy")}

    def samples(self) -> list[int]:
        """Return the numbers of the recorded inputs of each call: a batch repeats three of them."""
        return [place % 3 for place in range(self.entry["build"].get("rknn_batch_size") or 1)]

    def expected(self) -> list[NDArray[Any]]:
        return [np.load(self.folder / name) for name in self.entry["outputs"]]


@dataclass(frozen=True)
class Score:
    """The distance of our outputs from the recorded ones."""

    model: str
    variant: str
    refused: str = ""  # why it does not run, if so
    cosine: float = math.nan  # of the worst output
    steps: float = math.nan  # largest error in units of the output's scale; NaN when no output is quantised
    error: float = math.nan  # largest error, relative to the largest value
    exact: float = math.nan  # fraction of equal elements

    @property
    def quantised(self) -> bool:
        return "i8" in self.variant or not math.isnan(self.steps)

    @property
    def passed(self) -> bool:
        return self.cosine >= (0.999 if self.quantised else 0.9999)


def cases(zoo: Path, variants: tuple[str, ...] = (), pattern: str = "*") -> Iterator[Case]:
    for manifest in sorted(zoo.glob(f"{pattern}/manifest.json")):
        for entry in json.loads(manifest.read_text()):
            if entry["status"] == "ok" and (not variants or entry["variant"] in variants):
                yield Case(manifest.parent, entry)


def score(case: Case) -> Score:
    """Run one case."""
    try:
        return _score(case)
    except RknnModelError as error:
        return Score(case.model, case.variant, refused=str(error))
    except Exception as error:  # the report goes on, and shows the bug
        return Score(case.model, case.variant, refused=f"BUG {type(error).__name__}: {error}")


def _score(case: Case) -> Score:
    with case.opened() as model:
        graph = _graph_for(model, case.inputs(0))
        batches = [_run(model, graph, case.inputs(sample)) for sample in case.samples()]
        outputs = [np.concatenate(parts) if len(parts) > 1 else parts[0] for parts in zip(*batches)]
        grids = [grid_of(model.graphs[graph].tensors[index]) for index in model.graphs[graph].outputs]
    expected = case.expected()
    quantised = [(ours, theirs, grid.scale) for ours, theirs, grid in zip(outputs, expected, grids) if grid]
    return Score(
        case.model,
        case.variant,
        cosine=min(cosine(ours, theirs) for ours, theirs in zip(outputs, expected)),
        steps=max((largest(ours - theirs) / scale for ours, theirs, scale in quantised), default=math.nan),
        error=max(largest(o - e.astype(o.dtype)) / (largest(e) + 1e-12) for o, e in zip(outputs, expected)),
        exact=min(float(np.isclose(o, e, rtol=1e-5, atol=1e-6).mean()) for o, e in zip(outputs, expected)),
    )


def _graph_for(model: Model, inputs: Arrays) -> int:
    for place, graph in enumerate(model.graphs):
        if all(
            inputs[graph.tensors[index].name].shape == graph.tensors[index].shape
            for index in graph.inputs
            if graph.tensors[index].name in inputs
        ):
            return place
    return 0


def _run(model: Model, graph: int, inputs: Arrays) -> list[NDArray[Any]]:
    lowered = lower(model, graph, io="float")
    session = open_session(lowered)
    dtypes = {"tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(int32)": np.int32}
    feeds = {
        spec.name: inputs[spec.name].astype(dtypes.get(spec.type, np.float32)).reshape(spec.shape)
        for spec in session.get_inputs()
    }
    outputs: list[NDArray[Any]] = session.run(None, feeds)
    return outputs


def largest(values: NDArray[Any]) -> float:
    return float(np.abs(values.astype(np.float64)).max(initial=0.0))


def cosine(ours: NDArray[Any], theirs: NDArray[Any]) -> float:
    """Return 1 for the same direction; 0 for different sizes."""
    if ours.size != theirs.size:
        return -1.0
    a, b = ours.astype(np.float64).ravel(), theirs.astype(np.float64).ravel()
    lengths = float(np.linalg.norm(a) * np.linalg.norm(b))
    if not lengths:
        return 1.0 if np.array_equal(a, b) else 0.0
    return float(a @ b) / lengths


def print_report(scores: list[Score]) -> None:
    """Print a table by variant, then every model below the line."""
    by_variant: dict[str, list[Score]] = defaultdict(list)
    for one in scores:
        by_variant[one.variant].append(one)
    print(f"{'variant':12} {'files':>5} {'run':>5} {'pass':>5} {'exact':>6} {'<=1 step':>8} {'<=2 steps':>9}")
    for variant, group in [*sorted(by_variant.items()), ("all", scores)]:
        ran = [one for one in group if not one.refused]
        steps = [one.steps for one in ran if not math.isnan(one.steps)]
        within = [sum(value <= limit + 0.01 for value in steps) if steps else "-" for limit in (0, 1, 2)]
        passed = sum(one.passed for one in group)
        print(f"{variant:12} {len(group):5} {len(ran):5} {passed:5} {within[0]:>6} {within[1]:>8} {within[2]:>9}")
    for one in scores:
        if one.refused:
            print(f"refused  {one.model}:{one.variant}  {one.refused}")
    for one in scores:
        if not one.refused and (not one.passed or one.steps > STEPS):
            kind = "below" if not one.passed else "steps"
            print(
                f"{kind:8} {one.model}:{one.variant}  cosine {one.cosine:.6f}  steps {one.steps:.2f}  "
                f"error {one.error:.2e}  exact {one.exact:.3f}"
            )


def shares(scores: list[Score]) -> dict[str, float]:
    """Return the share of models above each line, among those in a documented form."""
    documented = [one for one in scores if one.variant not in UNDOCUMENTED]
    quantised = [one for one in documented if one.quantised]
    floating = [one for one in documented if not one.quantised]
    above = {
        "floating-point: cosine": [one.passed for one in floating],
        "int8: cosine": [one.passed for one in quantised],
        "int8: within 2 steps": [not one.refused and not one.steps > STEPS for one in quantised],
    }
    return {name: sum(marks) / len(marks) for name, marks in above.items() if marks}


def print_shares(scores: list[Score]) -> bool:
    """Print the required and the actual shares; return True if they are enough."""
    found = shares(scores)
    for name, share in found.items():
        print(f"{name:24} {share:8.2%}  required {REQUIRED[name]:.1%}")
    refused = [one for one in scores if one.refused and one.variant not in UNDOCUMENTED]
    print(f"refused though documented: {len(refused)}")
    return not refused and all(share >= REQUIRED[name] for name, share in found.items())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    beside = Path(__file__).resolve().parents[3] / "shared" / "zoo"
    parser.add_argument("zoo", nargs="?", type=Path, default=beside, help="default: shared/zoo beside the project")
    parser.add_argument("--variant", action="append", default=[])
    parser.add_argument("--model", default="*", help="a pattern for folder names")
    parser.add_argument("--all", action="store_true", help="print every model")
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    chosen = list(cases(arguments.zoo, tuple(arguments.variant), arguments.model))
    with ProcessPoolExecutor(arguments.jobs) as pool:
        scores = list(pool.map(score, chosen, chunksize=8))
    if arguments.all:
        for one in scores:
            print(f"{one.model}:{one.variant}  {one.refused or f'{one.cosine:.6f} {one.steps:.2f} {one.error:.2e}'}")
    print_report(scores)
    return 0 if print_shares(scores) else 1


if __name__ == "__main__":
    sys.exit(main())
