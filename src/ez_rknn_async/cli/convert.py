# SPDX-License-Identifier: Apache-2.0
"""``ezrknn convert``: from an ONNX file to a verified ``.rknn``."""

from __future__ import annotations

import json
import signal
import sys
import threading
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import RknnError, RknnValueError
from .conversion_text import render
from .extras import extra
from .progress import ProgressBar
from .recipe_flags import add_recipe_flags, settings_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from ..converting.recipe import Recipe
    from ..converting.report import ConversionReport

# Of a conversion, in their order.
_STAGES = ("configure", "load", "quantise", "build", "export", "simulate", "verify")


def register(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of this command."""
    parser = subcommands.add_parser(
        "convert",
        help="compile an ONNX file into a verified .rknn file",
        description="Compile an ONNX file with the vendor's compiler, and measure the result on the simulated "
        "NPU against "
        "the original. Exit status 1 if it cannot be compiled, or is of no use; the reason comes first.",
    )
    parser.add_argument("model", nargs="?", help="the ONNX file (or --from a recipe)")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="the .rknn file (default: beside the model)")
    add_recipe_flags(parser)
    add_verification_flags(parser)
    parser.add_argument("--check", action="store_true", help="look at the model and the samples, and build nothing")
    parser.add_argument("--json", action="store_true", help="print the reports as JSON")
    parser.set_defaults(handler=run)


def add_verification_flags(parser: argparse.ArgumentParser) -> None:
    """Add what ``convert`` and ``verify`` ask of the result."""
    parser.add_argument(
        "--min-cosine", type=float, default=0.9, metavar="C", help="below it the result is unusable (default: 0.9)"
    )
    parser.add_argument(
        "--verify-on",
        metavar="SOC|npu",
        help="run the result through a session too: on this machine's NPU, or on a simulated one of that SoC",
    )


def run(arguments: argparse.Namespace) -> int:
    """Convert for every target; print the reports."""
    with ending_cleanly():
        return _run(arguments)


def _run(arguments: argparse.Namespace) -> int:
    with extra("convert", "ezrknn convert"):
        from ..converting import building, conversion, toolkit
        from ..converting.finding import ConversionError
    recipe = chosen_recipe(arguments)
    outputs = [_output(arguments.output, recipe, target) for target in recipe.targets]
    try:
        prepared = building.prepare(recipe)
    except ConversionError as error:
        return _refused(error, as_json=arguments.json)
    if arguments.check:
        print(json.dumps([finding.as_dict() for finding in prepared.findings], indent=1)) if arguments.json else print(
            "\n".join(f"{finding.severity}: {finding.text}" for finding in prepared.findings) or "Nothing was found."
        )
        return 0
    environment = toolkit.find(arguments.toolkit_python)
    demands = conversion.Demands(arguments.min_cosine, arguments.verify_on, arguments.official_simulator)
    reports = []
    for target, output in zip(recipe.targets, outputs):
        with ProgressBar(target) as bar:
            reports.append(
                conversion.convert(prepared, target, output, environment, demands, partial(bar.stage, stages=_STAGES))
            )
    _print(reports, as_json=arguments.json)
    return 0 if all(report.usable for report in reports) else 1


def chosen_recipe(arguments: argparse.Namespace) -> Recipe:
    """Return the recipe of the command line: a file's, with what the flags say instead."""
    from ..converting.recipe import load, make

    settings = settings_of(arguments)
    if arguments.recipe:
        known = load(arguments.recipe)
        settings = {**{name: getattr(known, name) for name in known.__dataclass_fields__}, **settings}
    if arguments.model:
        settings["model"] = arguments.model
    if "model" not in settings:
        raise RknnValueError("there is no model: give an ONNX file, or --from a recipe")
    return make(settings)


@contextmanager
def ending_cleanly() -> Iterator[None]:
    """Let SIGTERM unwind as Ctrl-C does, so that the compiler ends and its temporary folder goes."""
    if threading.current_thread() is not threading.main_thread():
        yield  # whoever runs it in another thread has handlers of its own
        return
    former = signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)


def _output(given: Path | None, recipe: Recipe, target: str) -> Path:
    from ..converting.api import check_output

    path = given or Path(recipe.model).with_suffix(".rknn")
    if len(recipe.targets) > 1:
        path = path.with_suffix(f".{target}.rknn")
    check_output(path, recipe.model)
    return path


def _refused(error: Any, *, as_json: bool) -> int:
    if as_json:
        print(json.dumps({"error": str(error), "findings": [each.as_dict() for each in error.findings]}, indent=1))
        return 1
    for finding in error.findings[1:]:
        print(f"{finding.severity}: {finding.text}")
    raise RknnError(str(error)) from error


def _print(reports: list[ConversionReport], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps([report.as_dict() for report in reports], indent=1))
    else:
        print("\n\n".join(render(report) for report in reports))
