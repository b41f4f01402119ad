# SPDX-License-Identifier: Apache-2.0
"""``ezrknn tune``: the cheapest recipe that is accurate enough."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._host.files import publish_text
from ..errors import RknnValueError
from .extras import extra
from .recipe_flags import add_recipe_flags
from .table import Table

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from ..converting.speed import Advice
    from ..converting.tuning import Trial, Tuning


def register(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of this command."""
    parser = subcommands.add_parser(
        "tune",
        help="find the layers to keep in float16, and the fastest options",
        description="Build a quantised model again and again, with other algorithms and with the layers that "
        "lose most in "
        "float16, until it is accurate enough; write the best one and its recipe. Exit status 1 if none is.",
    )
    parser.add_argument("model", nargs="?", help="the ONNX file (or --from a recipe)")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="the .rknn file (default: beside the model)")
    parser.add_argument("--min-cosine", type=float, default=0.999, metavar="C", help="to reach (default: 0.999)")
    parser.add_argument(
        "--metric",
        metavar="SCRIPT.py",
        help="a program with a function score(outputs, references, samples): lists with a dictionary of arrays "
        "for each "
        "sample; higher is better",
    )
    parser.add_argument("--min-score", type=float, metavar="S", help="of --metric, to reach")
    parser.add_argument("--builds", type=int, default=40, metavar="N", help="at most (default: 40)")
    add_recipe_flags(parser)
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    parser.set_defaults(handler=run)


def run(arguments: argparse.Namespace) -> int:
    """Tune, convert with the best recipe, and say what it costs."""
    from .convert import ending_cleanly

    with ending_cleanly():
        return _run(arguments)


def _run(arguments: argparse.Namespace) -> int:
    with extra("convert", "ezrknn tune"):
        from ..converting import building, conversion, speed, toolkit, tuning
        from ..converting.api import check_output
        from ..converting.tuning_page import page
    from .convert import chosen_recipe

    recipe = chosen_recipe(arguments)
    if len(recipe.targets) > 1:
        raise RknnValueError("tune works for one --target; convert the recipe that it writes for others")
    goal = tuning.Goal(arguments.min_cosine, builds=arguments.builds)
    if arguments.metric:
        if arguments.min_score is None:
            raise RknnValueError("--metric needs --min-score: what is to be reached")
        goal = tuning.Goal(arguments.min_score, _metric(arguments.metric), arguments.builds)
    target = recipe.targets[0]
    output = arguments.output or Path(recipe.model).with_suffix(".rknn")
    check_output(output, recipe.model)
    environment = toolkit.find(arguments.toolkit_python)
    prepared = building.prepare(recipe)
    result = tuning.tune(prepared, target, environment, goal, _say)
    best = building.prepare(result.best.recipe)
    report = conversion.convert(best, target, output, environment, conversion.Demands(min_cosine=0.0))
    publish_text(page(result, goal.least), output.with_suffix(".tuning.html"))
    advice = speed.advise(report.modelled_ms, recipe, any(port.layout for port in prepared.original.inputs))
    if arguments.json:
        print(json.dumps(_described(result, advice, output), indent=1))
    else:
        print(_text(result, goal.least, advice, output))
    return 0 if result.reached else 1


def _metric(path: str) -> Callable[[Any, Any, Any], float]:
    try:
        score = runpy.run_path(path).get("score")
    except OSError as error:
        raise RknnValueError(f"--metric {path} cannot be read: {error.strerror}") from error
    if not callable(score):
        raise RknnValueError(f"--metric {path} has no function score(outputs, references, samples)")
    function: Callable[[Any, Any, Any], float] = score
    return function


def _say(trial: Trial) -> None:
    if sys.stderr.isatty():
        print(f"{trial.label}: {trial.score:.6f}, {trial.milliseconds:.3f} ms", file=sys.stderr)


def _described(result: Tuning, advice: Sequence[Advice], output: Path) -> dict[str, Any]:
    return {
        "reached": result.reached,
        "best": _trial(result.best),
        "trials": [_trial(trial) for trial in result.trials],
        "options": [vars(each) for each in advice],
        "file": str(output),
    }


def _trial(trial: Trial) -> dict[str, Any]:
    return {
        "label": trial.label,
        "score": trial.score,
        "cosine": trial.cosine,
        "modelled_ms": trial.milliseconds,
        "float_tensors": list(trial.recipe.float_tensors),
        "algorithm": trial.recipe.algorithm,
        "samples": trial.recipe.samples,
    }


def _text(result: Tuning, least: float, advice: Sequence[Advice], output: Path) -> str:
    table = Table(["tried", "score", "cosine", "modelled (ms)", "float layers", ""])
    for trial in result.trials:
        mark = "<- best" if trial is result.best else ""
        floats = len(trial.recipe.float_tensors)
        table.row(trial.label, f"{trial.score:.6f}", f"{trial.cosine:.6f}", trial.milliseconds, floats, mark)
    first, best = result.trials[0], result.best
    kept = ", ".join(best.recipe.float_tensors) or "no layer"
    cost = best.milliseconds / first.milliseconds - 1
    verdict = f"{least:g} is reached" if result.reached else f"{least:g} is not reached: the best has {best.score:.6f}"
    options = "\n".join(
        f"For {each.purpose}: make_provider_options({each.options}): {each.latency_ms:.3f} ms, "
        f"{each.throughput:.0f}/s, modelled"
        for each in advice
    )
    return (
        f"{table.render()}\n\n{verdict}, with {kept} in float16; modelled time {cost:+.1%} "
        f"({first.milliseconds:.3f} to "
        f"{best.milliseconds:.3f} ms with 1 core).\n{options}\nOn a board, 'ezrknn bench' measures them.\n"
        f"Written: {output} and its recipe {output.with_suffix('.toml')}"
    )
