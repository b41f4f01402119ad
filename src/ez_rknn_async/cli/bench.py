# SPDX-License-Identifier: Apache-2.0
"""``ezrknn bench``: latency and throughput of a model, in one mode or in all of them side by side."""

from __future__ import annotations

import argparse
import json
import math
import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from .._contexts.model_source import ModelSource
from .._options.provider_options import parse_settings
from .._options.providers import RKNPU2_SIMULATOR
from .._options.soc import soc
from .._runtime.locate import locate
from ..errors import RknnError, RknnValueError
from ..session import InferenceSession
from .limit import limit
from .measurement import STAGES, Measurement, measure
from .modelled import modelled, modelled_sum
from .progress import ProgressBar
from .session_options import add_arguments, provider_options
from .table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# For exploring schedules: times are the NPU's, and this machine's processor does not slow them down.
MODELLED = "timing=modelled,compute=off"


def register(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of this command."""
    parser = subcommands.add_parser(
        "bench",
        help="measure latency and throughput",
        description="Measure run() one call at a time, and run_async() with every worker busy. On the simulated NPU "
        f"times are modelled unless --simulator says otherwise ({MODELLED}).",
    )
    parser.add_argument("model", help="the .rknn file")
    parser.add_argument("--compare", action="store_true", help="one core, every core and tensor parallel, side by side")
    parser.add_argument("--seconds", type=_seconds, default=2.0, metavar="S", help="how long to measure each mode (2)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    add_arguments(parser)
    parser.set_defaults(handler=run)


def run(arguments: argparse.Namespace) -> int:
    """Measure the model and print the figures."""
    if arguments.compare and (arguments.schedule or arguments.tp_mode):
        raise RknnValueError("--compare measures every mode; leave out --schedule and --tp-mode, or --compare")
    overrides = _simulator_settings(arguments)
    with ModelSource.of(arguments.model) as model:  # the same in every mode, whatever happens to the file meanwhile
        modes = _modes(arguments, model) if arguments.compare else [{}]
        results = [_measure(arguments, model, {**overrides, **mode}) for mode in modes]
        layers = _modelled(arguments, model) if arguments.compare else None
    times = _source_of_times(results[0]["provider"], overrides.get("simulator"))
    if arguments.json:
        sums = {} if layers is None else {"modelled_ms": layers["milliseconds"]}
        print(json.dumps({"times": times, "modes": results, **sums}, indent=2))
        return 0
    table = Table(["mode", "latency p50 (ms)", "p90 (ms)", "p99 (ms)", "throughput (1/s)", "against the first", "runs"])
    for result in results:
        latency, rate = result["latency_ms"], result["throughput"]
        runs = result["latency_runs"] + result["throughput_runs"]
        ratio = f"{rate / results[0]['throughput']:.2f}x"
        table.row(result["mode"], latency["p50"], latency["p90"], latency["p99"], rate, ratio, runs)
    print(table.render())
    print("\n" + _split_table(results).render())
    print("\n" + "\n".join(f"{result['mode']}: {result['limit']}" for result in results))
    print(f"Times: {times}.")
    if layers is not None:
        print(f"Sum of the layers, with no other core busy. {modelled_sum(layers)}")
    return 0


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a time to measure for; give a number of seconds above 0")
    return seconds


def _measure(arguments: argparse.Namespace, model: Any, overrides: dict[str, Any]) -> dict[str, Any]:
    options = provider_options(arguments, **overrides)
    label = _label(options)
    with InferenceSession(model, provider_options=options) as session, ProgressBar(label) as bar:
        measured: Measurement = measure(session, arguments.seconds, bar.update)
        said = limit(measured.split_ms, measured.computing, options.get("threads_per_core", 1))
        return {"mode": label, "provider": session.get_providers()[0], **asdict(measured), "limit": said}


def _split_table(results: Sequence[dict[str, Any]]) -> Table:
    """Tabulate the stages of an inference while every worker is busy: means in milliseconds."""
    table = Table(["mode", *(f"{stage} (ms)" for stage in STAGES), "NPU at work"])
    for result in results:
        table.row(result["mode"], *(result["split_ms"][stage] for stage in STAGES), f"{result['computing']:.0%}")
    return table


def _label(options: dict[str, Any]) -> str:
    threads = f", {options['threads_per_core']} threads a core" if options.get("threads_per_core", 1) != 1 else ""
    if "schedule" in options:
        return f"schedule={options['schedule']}{threads}"
    return f"tp_mode={options.get('tp_mode', 'auto')}{threads}"


def _modes(arguments: argparse.Namespace, source: ModelSource) -> Iterable[dict[str, Any]]:
    """Return the modes: one core, every core, and each number of cores that can work together on this SoC."""
    with source.parsed() as model:
        cores = soc(locate(arguments.runtime_library).soc or model.target_platform).cores
    modes: list[dict[str, Any]] = [{"schedule": "0", "tp_mode": None}]
    if cores > 1:
        modes.append({"schedule": "all", "tp_mode": None})
    modes += [{"schedule": None, "tp_mode": ",".join(map(str, range(n)))} for n in range(2, cores + 1)]
    return modes


def _modelled(arguments: argparse.Namespace, source: ModelSource) -> dict[str, Any] | None:
    """Return the sums of the layers; None if the simulated NPU cannot run the model, which a board may."""
    try:
        return modelled(source, locate(arguments.runtime_library).soc)
    except RknnError:
        return None


def _simulator_settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the simulated NPU's settings: those of this measurement, unless the user has chosen any."""
    chosen = arguments.simulator or os.environ.get("EZ_RKNN_SIMULATOR")
    if chosen is None and locate(arguments.runtime_library).library.simulated:
        return {"simulator": MODELLED}
    return {"simulator": arguments.simulator}


def _source_of_times(provider: str, settings: str | None) -> str:
    if provider != RKNPU2_SIMULATOR:
        return "measured on this machine's NPU"
    values = {**parse_settings(os.environ.get("EZ_RKNN_SIMULATOR", "")), **parse_settings(settings or "")}
    timing = values.get("timing", "off")
    if timing == "modelled":
        return "modelled from the layers in the file; no NPU was involved"
    if timing == "off":
        return "those of this machine's processor, on which the NPU is simulated; they say nothing about an NPU"
    return f"simulated ({timing}); no NPU was involved"
