# SPDX-License-Identifier: Apache-2.0
"""The arguments of ``ezrknn bench``, and the loads that they ask for."""

from __future__ import annotations

import argparse
import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Callable

from ...errors import RknnValueError
from .. import feeds, session_options
from .load import ARRIVALS, WAYS, Load

if TYPE_CHECKING:
    from collections.abc import Sequence

SWEEP = "sweep"
_SECONDS = 2.0
_WARM_UP = 10
_COMPUTED_RUNS = 4000  # enough for p99.9


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add all arguments of the command."""
    parser.add_argument("model", nargs="+", help="the .rknn file; several are measured at once")
    parser.add_argument("--compare", action="store_true", help="one core, every core and tensor parallel, side by side")
    _add_load(parser.add_argument_group("load"))
    _add_output(parser.add_argument_group("output"))
    group = parser.add_argument_group("inputs")
    feeds.add_arguments(group)
    session_options.add_arguments(parser)


def _add_load(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--seconds",
        type=_positive,
        metavar="S",
        help=f"how long to measure each row ({_SECONDS:g}; {_COMPUTED_RUNS} runs in virtual time)",
    )
    group.add_argument("--runs", type=_count, metavar="N", help="end after so many runs, even before --seconds")
    group.add_argument(
        "--warmup", type=_number, default=_WARM_UP, metavar="N", help=f"runs before, which do not count ({_WARM_UP})"
    )
    group.add_argument(
        "--ways",
        type=_listed(_way),
        metavar="WAYS",
        help=f"ways to run, side by side: {', '.join(WAYS)}, or all",
    )
    group.add_argument(
        "--in-flight",
        type=_listed(_count),
        metavar="N",
        help="requests under way at once; several as 1,2,4, or 'sweep' to find the fewest that are worth it",
    )
    group.add_argument(
        "--rate",
        type=_listed(_positive),
        metavar="R",
        help="requests a second, whether the earlier ones are done or not; several as 30,60, or 'sweep'",
    )
    group.add_argument(
        "--arrivals", choices=ARRIVALS, default=ARRIVALS[0], help="of a rate: random (default), or at equal distances"
    )
    group.add_argument(
        "--deadline",
        type=_positive,
        metavar="MS",
        help="find the highest rate at which a share of requests (--percentile) are answered within MS milliseconds",
    )
    group.add_argument(
        "--percentile", type=_percentile, default=99.0, metavar="P", help="the share for --deadline, in percent (99)"
    )
    group.add_argument("--batch", type=_count, metavar="N", help="samples in each request, spread over the cores")
    group.add_argument(
        "--callback-ms", type=_positive, default=0.0, metavar="MS", help="work on each result for so long, in Python"
    )


def _add_output(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--json", action="store_true", help="print the figures as JSON")
    group.add_argument("--histogram", action="store_true", help="show the latencies of each row as a histogram")
    group.add_argument("--save", type=Path, metavar="FILE", help="write the JSON to a file as well, for --against")
    group.add_argument("--csv", type=Path, metavar="FILE", help="write the rows as CSV")
    group.add_argument("--plot", type=Path, metavar="FILE", help="write an HTML page with charts, complete in itself")
    group.add_argument(
        "--against",
        type=Path,
        metavar="FILE",
        help="compare with what --save wrote: status 3 if a row has become worse, 4 if noise hides whether it has",
    )
    group.add_argument(
        "--tolerance", type=_share, default=5.0, metavar="P", help="what --against takes as equal, in percent (5)"
    )


def check(arguments: argparse.Namespace) -> None:
    """Refuse arguments that contradict each other.

    Raises:
        RknnValueError: two of them do.
    """
    if arguments.compare and (arguments.schedule or arguments.tp_mode):
        raise RknnValueError("--compare measures every mode; leave out --schedule and --tp-mode, or --compare")
    if arguments.in_flight and (arguments.rate or arguments.deadline):
        other = "--rate" if arguments.rate else "--deadline"
        raise RknnValueError(f"{other} offers requests whether earlier ones are done or not; leave out --in-flight")
    if arguments.rate and arguments.deadline:
        raise RknnValueError("--deadline looks for the rate itself; leave out --rate, or --deadline")
    if arguments.batch and arguments.ways not in (None, ["run"]):
        raise RknnValueError("--batch spreads the samples of one call, which only run() does; leave out --ways")
    # A measurement takes long: what cannot be written afterwards is refused before.
    for flag in ("save", "csv", "plot"):
        file: Path | None = getattr(arguments, flag)
        if file is not None and (not file.parent.is_dir() or file.is_dir()):
            raise RknnValueError(f"--{flag} {file} cannot be written: there is no such folder, or it is one itself")


def base(arguments: argparse.Namespace, *, is_computed: bool = False) -> Load:
    """Return the load that all rows have in common; of what is computed, many runs cost little."""
    seconds, runs = arguments.seconds, arguments.runs
    if seconds is None:
        if runs is None and is_computed:
            runs = _COMPUTED_RUNS
        seconds = _SECONDS if runs is None else math.inf
    return Load(
        way="run" if arguments.batch else "run_async",
        arrivals=arguments.arrivals,
        seconds=seconds,
        runs=runs,
        warmup=arguments.warmup,
        batch=arguments.batch,
        callback_ms=arguments.callback_ms,
        seed=arguments.seed,
    )


def replaced(load: Load, way: str) -> Load:
    """Return the load in another way."""
    return replace(load, way=way)


def is_default(arguments: argparse.Namespace) -> bool:
    """Check if nothing is said about the load: then latency and throughput are measured each under its own."""
    return not (arguments.ways or arguments.in_flight or arguments.rate or arguments.deadline or arguments.batch)


def _positive(text: str) -> float:
    value = _float(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0")
    return value


def _share(text: str) -> float:
    value = _float(text)
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a number of percent, 0 or above")
    return value


def _percentile(text: str) -> float:
    value = _float(text)
    if not 0 < value < 100:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 100 percent")
    return value


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is not a number") from None


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text} is not a whole number, 0 or above")
    return int(text)


def _count(text: str) -> int:
    if not _number(text):
        raise argparse.ArgumentTypeError(f"{text} is not a whole number above 0")
    return int(text)


def _way(text: str) -> str:
    if text not in WAYS:
        raise argparse.ArgumentTypeError(f"{text} is none of {', '.join(WAYS)}")
    return text


def _listed(one: Callable[[str], object]) -> Callable[[str], object]:
    """Return a function that reads several values with commas between them, or a word that stands for many."""

    def read(text: str) -> Sequence[object] | str:
        if one is _way:
            return list(WAYS) if text == "all" else [one(part) for part in text.split(",")]
        return SWEEP if text == SWEEP else [one(part) for part in text.split(",")]

    return read
