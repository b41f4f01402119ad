# SPDX-License-Identifier: Apache-2.0
"""``ezrknn plan``: what a board, or several, can bear: models, loads and deadlines, in virtual time."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from ..errors import RknnValueError
from .progress import ProgressBar
from .table import Table, folded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .._options.provider_options import ProviderOptions
    from ..planning.search import Found
    from ..planning.verdict import ModelVerdict, Verdict

FIND = "find"
_PERCENTILES = (50, 90, 99)


def register(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of this command."""
    parser = subcommands.add_parser(
        "plan",
        help="simulate several models on a board",
        description="Simulate models with their loads on one NPU, or on several boards, in virtual time: latencies, "
        "drops, the use of each core, and what limits. Nothing is run, and the figures are the same on every machine. "
        "The status is 1 if a model does not do what is required of it.",
    )
    parser.add_argument("plan", help="the TOML file")
    parser.add_argument(
        "--search", action="store_true", help="find the schedules that keep all deadlines with the least load"
    )
    parser.add_argument(
        "--boards", type=_boards, default=1, metavar="N", help=f"boards that share the load equally, or '{FIND}'"
    )
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    parser.set_defaults(handler=run)


def run(arguments: argparse.Namespace) -> int:
    """Simulate the plan and print what becomes of it."""
    from ..planning.plan_file import read_plan
    from ..planning.search import boards_needed
    from ..planning.verdict import evaluate

    plan = read_plan(arguments.plan)
    found: Found | None = None
    if arguments.boards == FIND:
        if arguments.search:
            raise RknnValueError(f"--boards {FIND} takes the schedules of the plan; give --search with a number")
        boards, verdict = boards_needed(plan)
    else:
        boards = arguments.boards
        one = plan.shared_by(boards)
        if arguments.search:
            found = _searched(one)
        verdict = evaluate(one) if found is None else found.verdict
    description = describe(verdict, boards, found)
    if arguments.json:
        print(json.dumps(description, indent=2))
    else:
        print("\n\n".join(_sections(description)))
    return 0 if verdict.met else 1


def _boards(text: str) -> int | str:
    if text == FIND:
        return text
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= 1_000_000):
        raise argparse.ArgumentTypeError(f"{text} is neither a number of boards nor '{FIND}'")
    return int(text)


def _searched(plan: Any) -> Found:
    from ..planning.search import MOST_COMBINATIONS, search

    with ProgressBar("search") as bar:
        update: Callable[[int], None] = lambda tried: bar.update(min(1.0, tried / MOST_COMBINATIONS))  # noqa: E731
        return search(plan, update)


def describe(verdict: Verdict, boards: int = 1, found: Found | None = None) -> dict[str, Any]:
    """Return a verdict as plain values."""
    result = verdict.result
    return {
        "soc": verdict.plan.board.soc,
        "boards": boards,
        "seconds": verdict.plan.seconds,
        "percentile": verdict.plan.percentile,
        "met": verdict.met,
        "models": [_model(verdict, model, number) for number, model in enumerate(verdict.models)],
        "cores": [
            {"core": core, "busy": round(result.busy(core), 6), "inferences": times.runs}
            for core, times in enumerate(result.cores)
        ],
        "load": round(verdict.load, 6),
        "search": None if found is None else {"tried": found.tried, "exhaustive": found.exhaustive},
    }


def _model(verdict: Verdict, model: ModelVerdict, number: int) -> dict[str, Any]:
    requests = model.requests
    planned = verdict.plan.models[number]
    percents = sorted({*_PERCENTILES, verdict.plan.percentile})
    return {
        "model": planned.name,
        "schedule": schedule(planned.options),
        "requests": requests.count + requests.dropped,
        "rate": round(model.rate, 3),
        "latency_ms": {
            **{f"p{p:g}": _milliseconds(requests.percentile_ms(p)) for p in percents},
            "max": _milliseconds(requests.percentile_ms(100)),
        },
        "deadline_ms": planned.deadline_ms,
        "late": round(model.late, 6),
        "dropped": requests.dropped,
        "met": model.met,
        "limit": model.limit,
        "text": model.text,
    }


def _milliseconds(value: float) -> float | None:
    return None if value != value else round(value, 4)


def schedule(options: ProviderOptions) -> str:
    """Return how a model is spread over the cores: as a plan says it."""
    if options.schedule is None:
        text = f'tp_mode = "{options.tp_mode or "auto"}"'
    elif isinstance(options.schedule, str):
        text = f'schedule = "{options.schedule}"'
    else:
        text = f"schedule = {list(options.schedule)}"
    return text + (', dispatch = "least_loaded"' if options.dispatch == "least_loaded" else "")


def _sections(description: dict[str, Any]) -> Iterator[str]:
    percents = list(description["models"][0]["latency_ms"])
    columns = ["model", *(f"{percent} (ms)" for percent in percents), "deadline (ms)", "late (%)", "dropped", "1/s"]
    table = Table([*columns, ""], ["p90 (ms)", "dropped", "p50 (ms)"])
    for model in description["models"]:
        latency = [model["latency_ms"][percent] for percent in percents]
        table.row(
            model["model"], *latency, model["deadline_ms"], 100 * model["late"], model["dropped"], model["rate"],
            "ok" if model["met"] else "FAILS",
        )  # fmt: skip
    yield table.render()
    cores = Table(["core", "busy (%)", "inferences"])
    for core in description["cores"]:
        cores.row(str(core["core"]), 100 * core["busy"], core["inferences"])
    yield cores.render()
    yield folded("\n".join(f"{m['model']}, {m['schedule']}: {m['text']}" for m in description["models"]))
    yield folded("\n".join(_closing(description)))


def _closing(description: dict[str, Any]) -> Iterator[str]:
    boards, searched = description["boards"], description["search"]
    if searched is not None:
        how = "all there are" if searched["exhaustive"] else "the best of these may not be the best of all"
        yield f"Of {searched['tried']} combinations of schedules, {how}: these are the best."
    if boards > 1:
        yield f"{boards} boards share the load; these are the figures of one that gets most of it."
    yield (
        f"Simulated: {description['seconds']:g} s of one {description['soc']}, in virtual time; modelled, not measured."
    )
