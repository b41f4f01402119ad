# SPDX-License-Identifier: Apache-2.0
"""The score of the trained models, and the table in the reference."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .catalogue import MODELS
from .measuring import Measured, measure_elsewhere, read_measured

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from .measuring import Nearness
    from .model import RealModel

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reference" / "simulator.md"
TOOL = ROOT / "tools" / "measure_real_models.py"
_BEGIN, _END = "<!-- trained models: written by make test-real -->\n", "<!-- end of trained models -->"

NEAR = {"int8": 0.999, "fp16": 0.9999}  # or as near as the official simulator is to itself
REQUIRED = {"int8": 0.95, "fp16": 1.0}  # the share of model, SoC and output
SLOWEST, FROM_MILLISECONDS = 0.5, 1.0  # of the original's speed, where that takes so long
LONGEST_OPENING = 1.5  # seconds

Results = dict[str, tuple[dict[str, Any], Measured]]  # by the compiled file's name: its entry, and how it did


def compare(models: Sequence[RealModel], folder: Path, *, publish: bool) -> bool:
    """Measure everything in the manifest, print it and the score; return True if enough is near enough."""
    wanted = {model.name: model for model in models}
    entries = json.loads((folder / "manifest.json").read_text())["models"]
    results: Results = {}
    for entry in entries:
        name = entry["name"]
        if name.split(".")[0] not in wanted:
            continue
        refused = entry.get("refused")
        result = Measured(name, refused=f"compiler: {refused}") if refused else measure_elsewhere(TOOL, folder, name)
        results[name] = (entry, result)
        _kept(folder, name).write_text(json.dumps(asdict(result)) + "\n")
        for line in _lines(entry, result):
            print(line, flush=True)
    scores = [_print_score(precision, results) for precision in NEAR]
    if publish:
        _publish({model.name: model for model in MODELS}, _all_kept(folder, entries))
    return all(scores)


def _kept(folder: Path, name: str) -> Path:
    return folder / f"{name}.measured.json"


def _all_kept(folder: Path, entries: Sequence[dict[str, Any]]) -> Results:
    """Return what was measured last of every model, so that some can be measured again."""
    there = [(entry, _kept(folder, entry["name"])) for entry in entries]
    return {entry["name"]: (entry, read_measured(kept.read_text())) for entry, kept in there if kept.exists()}


def is_near(output: Nearness, precision: str) -> bool:
    """Return True if an output is as near as required, or as the official simulator is to itself."""
    return output.cosine >= min(NEAR[precision], output.noise)


def _lines(entry: Mapping[str, Any], result: Measured) -> Iterator[str]:
    if result.refused:
        yield f"{result.name:34} {result.refused}"
        return
    for output in result.outputs:
        mark = " " if is_near(output, entry["precision"]) else "!"
        yield (
            f"{result.name:34}{mark} cosine {output.cosine:.6f}  noise {output.noise:.6f}  "
            f"{output.steps:4.0f} steps  {output.name[:32]}{'' if output.finite else '  (not finite)'}"
        )
    slow = "!" if _is_slow(result) else " "
    yield (
        f"{'':34}{slow} same {result.same} of {result.cases}, with noise {result.same_with_noise}  "
        f"open {result.seconds:.2f} s  {result.milliseconds:.2f} ms, original {result.original:.2f} ms  "
        f"{result.megabytes:.0f} MB"
    )


def _is_slow(result: Measured) -> bool:
    long = result.original > FROM_MILLISECONDS and result.original < SLOWEST * result.milliseconds
    return long or result.seconds > LONGEST_OPENING


def _print_score(precision: str, results: Results) -> bool:
    """Print how many are near enough and return True if these are as many as required."""
    ours = [result for entry, result in results.values() if _precision(entry) == precision and _was_compiled(result)]
    outputs = [output for result in ours for output in result.outputs if output.finite]
    near = sum(is_near(output, precision) for output in outputs)
    refused = [result.name for result in ours if result.refused]
    total = len(outputs) + len(refused)
    cases = sum(result.cases for result in ours)
    kept = sum(result.same for result in ours)
    noisy = sum(result.same_with_noise for result in ours)
    if not total:
        return True
    print(
        f"{precision}: near enough {near} of {total} outputs ({near / total:.1%}, required {REQUIRED[precision]:.0%})"
    )
    print(f"{precision}: the same result {kept} of {cases} cases, the official simulator with noise {noisy}")
    if refused:
        print(f"{precision}: refused by us: {', '.join(refused)}")
    return near >= REQUIRED[precision] * total


def _precision(entry: Mapping[str, Any]) -> str:
    return str(entry["precision"])


def _was_compiled(result: Measured) -> bool:
    return not result.refused.startswith("compiler: ")


def _publish(models: Mapping[str, RealModel], results: Results) -> None:
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(_BEGIN)
    PAGE.write_text(f"{before}{_BEGIN}\n{table(models, results)}\n\n{_END}{rest.split(_END)[1]}", encoding="utf-8")


def table(models: Mapping[str, RealModel], results: Results) -> str:
    """Return the table in Markdown: a row for each model, a column for each SoC and precision."""
    cells: defaultdict[str, dict[tuple[str, str], Measured]] = defaultdict(dict)
    for entry, result in results.values():
        cells[result.name.split(".")[0]][entry["target"], entry["precision"]] = result
    variants = list(dict.fromkeys(variant for row in cells.values() for variant in row))
    heading = ["model", "is for", "from", *(f"{soc.upper()} {precision}" for soc, precision in variants)]
    heading += ["speed", "memory"]
    lines = [heading, ["---"] * len(heading)]
    for name, row in cells.items():
        model = models[name]
        package = f"{model.package.name} {model.package.version}"
        shown = [_cell(row.get(variant), variant[1]) for variant in variants]
        lines.append([name, model.kind, package, *shown, *_cost(row.values())])
    text = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    refusals = list(_refusals(results))
    return text + ("\n\nWhat is not compiled, and how the compiler ends:\n\n" + "\n".join(refusals) if refusals else "")


def _refusals(results: Results) -> Iterator[str]:
    """Yield a line for each model and reason, with the SoCs and precisions."""
    variants: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for entry, result in results.values():
        if result.refused and not _was_compiled(result):
            key = result.name.split(".")[0], result.refused.removeprefix("compiler: ")
            variants[key].append(f"{entry['target'].upper()} {entry['precision']}")
    for (name, reason), where in variants.items():
        yield f"* `{name}` ({', '.join(where)}): {reason}"


def _cell(result: Measured | None, precision: str) -> str:
    if result is None:
        return ""
    if result.refused:
        return "refused" if _was_compiled(result) else "not compiled"
    worst = min(result.outputs, key=lambda output: output.cosine - min(NEAR[precision], output.noise))
    noise = f" ({worst.noise:.4f})" if precision == "int8" else ""
    figure = f"{worst.cosine:.4f}{noise}" if worst.finite else "not finite"
    figure = figure if is_near(worst, precision) or not worst.finite else f"**{figure}**"
    return f"{figure}, {result.same}/{result.cases}"


def _cost(row: Iterable[Measured]) -> tuple[str, str]:
    """Return the least speed relative to the original, and the most memory."""
    ran = [result for result in row if not result.refused]
    if not ran:
        return "", ""
    slowest = min(ran, key=lambda result: result.original / result.milliseconds)
    speed = f"{slowest.original / slowest.milliseconds:.2f} (of {slowest.original:.2g} ms)"
    return speed, f"{max(result.megabytes for result in ran):.0f} MB"
