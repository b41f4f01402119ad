# SPDX-License-Identifier: Apache-2.0
"""``ezrknn bench``: latency and throughput of models, in one mode or in several side by side, under any load.

* :mod:`.arguments` says what is asked, :mod:`.load` what that is;
* :mod:`.figures` is what one load did to one model, and the seam: :mod:`.live` measures it with sessions;
* :mod:`.rows`, :mod:`.sweep`, :mod:`.diagnosis` and :mod:`.percentiles` make something of the figures;
* :mod:`.report` says it in plain values, :mod:`.text`, :mod:`.plot` and :mod:`.against` make use of those.
"""

from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING, Any

from ..._contexts.model_source import ModelSource
from ..._host.files import publish_text
from ..._host.paths import printable
from ..._options.provider_options import parse_settings
from ..._options.providers import RKNPU2_SIMULATOR
from ..._options.soc import soc
from ..._runtime.locate import locate
from ...errors import RknnError
from ..modelled import modelled, modelled_sum
from ..progress import ProgressBar
from ..session_options import provider_options
from ..table import folded
from . import arguments as flags
from . import report, rows, text
from .against import compare, read
from .environment import describe_machine, describe_model, describe_versions
from .live import LiveModels
from .plot import page
from .virtual import VirtualModels

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from .rows import Result

# For exploring schedules: times are the NPU's, and this machine's processor does not slow them down.
MODELLED = "timing=modelled,compute=off"

_INTERRUPTED = 130  # as a shell reports it


def register(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of this command."""
    parser = subcommands.add_parser(
        "bench",
        help="measure latency and throughput",
        description="Measure run() one call at a time, and run_async() with every worker busy; or any other load. On "
        f"the simulated NPU times are modelled unless --simulator says otherwise ({MODELLED}). Ctrl-C ends it early, "
        "with the figures until then.",
    )
    flags.add_arguments(parser)
    parser.set_defaults(handler=run)


def run(arguments: argparse.Namespace) -> int:
    """Measure the models, print the figures, and write what else is asked for."""
    flags.check(arguments)
    then = read(arguments.against) if arguments.against else None
    overrides = _simulator_settings(arguments)
    with contextlib.ExitStack() as stack:
        # The same in every mode, whatever happens to the files meanwhile.
        sources = [stack.enter_context(ModelSource.of(name)) for name in arguments.model]
        results = list(rows.first_interrupted(_measured(arguments, sources, overrides)))
        description = _describe(arguments, sources, overrides, results)
        layers = _modelled(arguments, sources[0]) if arguments.compare else None
    if layers is not None:
        description["modelled_ms"] = [report.rounded(time) for time in layers["milliseconds"]]
    verdict = None if then is None else compare(then, description, arguments.tolerance, arguments.against)
    if verdict is not None:
        description["against"] = verdict.describe()
    _write_files(arguments, description, results)
    if arguments.json:
        print(json.dumps(description, indent=2))
    else:
        every = [row for result in results for row in result.rows]
        print("\n\n".join(text.sections(description, every, histograms=arguments.histogram or len(every) == 1)))
        if layers is not None:
            print(folded(f"Sum of the layers, with no other core busy. {modelled_sum(layers)}"))
        if verdict is not None:
            print("\n" + verdict.text())
    if description["interrupted"]:
        return _INTERRUPTED
    if not any(row["throughput_runs"] for row in description["modes"]):
        return 1
    return 0 if verdict is None else verdict.status


def _measured(
    arguments: argparse.Namespace, sources: Sequence[ModelSource], overrides: dict[str, Any]
) -> Iterator[Result]:
    """Measure mode after mode."""
    for mode in _modes(arguments, sources[0]) if arguments.compare else [{}]:
        options = provider_options(arguments, **{**overrides, **mode})
        with contextlib.ExitStack() as stack:
            bars = _Bars(stack)
            opened = _opened(stack, arguments, sources, options)
            yield from _results(arguments, opened, bars.bar)


def _opened(
    stack: contextlib.ExitStack, arguments: argparse.Namespace, sources: Sequence[ModelSource], options: dict[str, Any]
) -> rows.Opened:
    """Return the models in one mode: in virtual time on the simulated NPU, unless this machine is to be measured."""
    if is_virtual(arguments):
        if arguments.input:  # they do not change the times, but wrong ones are refused as ever
            with LiveModels.open(arguments, sources, options):
                pass
        with sources[0].parsed() as model:
            target = locate(arguments.runtime_library).soc or model.target_platform
        return VirtualModels.open(sources, options, target)
    return stack.enter_context(LiveModels.open(arguments, sources, options))


def is_virtual(arguments: argparse.Namespace) -> bool:
    """Check if the figures are computed: on the simulated NPU, of which the user has set nothing.

    Ways to run differ by what a program and the session cost this machine, and a batch is spread over the cores by the
    session itself: these are measured.
    """
    chosen = arguments.simulator or os.environ.get("EZ_RKNN_SIMULATOR")
    is_of_this_machine = arguments.ways is not None or arguments.batch is not None
    return chosen is None and not is_of_this_machine and locate(arguments.runtime_library).library.simulated


def _results(arguments: argparse.Namespace, opened: rows.Opened, progress: rows.Progress) -> Iterator[Result]:
    base = flags.base(arguments, is_computed=is_virtual(arguments))
    if flags.is_default(arguments):
        yield rows.measure_default(opened, base, progress)
    elif arguments.deadline:
        for way in arguments.ways or [base.way]:
            load = flags.replaced(base, way=way)
            yield rows.measure_deadline(opened, load, arguments.deadline, arguments.percentile, progress)
    elif rows.is_sweep(arguments):
        for way in arguments.ways or [base.way]:
            load = flags.replaced(base, way=way)
            yield rows.measure_sweep(opened, load, progress, of_rates=arguments.rate == flags.SWEEP)
    else:
        yield rows.measure_loads(opened, rows.loads(arguments, base), progress)


class _Bars:
    """One progress bar after the other, on one line."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._stack = stack.enter_context(contextlib.ExitStack())

    def bar(self, label: str) -> Callable[[float], None]:
        """Return what moves the next bar."""
        self._stack.close()
        return self._stack.enter_context(ProgressBar(label)).update


def _describe(
    arguments: argparse.Namespace,
    sources: Sequence[ModelSource],
    overrides: dict[str, Any],
    results: Sequence[Result],
) -> dict[str, Any]:
    located = locate(arguments.runtime_library)
    models = [describe_model(source) for source in sources]
    provider = RKNPU2_SIMULATOR if located.library.simulated else "RKNPU2ExecutionProvider"
    return {
        "format": report.FORMAT,
        "times": _source_of_times(provider, overrides.get("simulator"), is_computed=is_virtual(arguments)),
        "provider": provider,
        "soc": located.soc or models[0]["target_platform"],
        "models": models,
        "versions": describe_versions(arguments.runtime_library),
        "machine": describe_machine(clocks=not is_virtual(arguments)),
        "options": _options(arguments, overrides),
        **report.describe_results(results),
    }


def _options(arguments: argparse.Namespace, overrides: dict[str, Any]) -> dict[str, Any]:
    """Return what was asked for, without what was only about the output."""
    output = ("handler", "debug", "json", "histogram", "save", "csv", "plot", "against", "model", "tolerance")
    asked = {name: value for name, value in vars(arguments).items() if name not in output}
    return {**asked, **overrides}


def _write_files(arguments: argparse.Namespace, description: dict[str, Any], results: Sequence[Result]) -> None:
    every = [row for result in results for row in result.rows]
    if arguments.save:
        _write(arguments.save, json.dumps(description, indent=2) + "\n")
    if arguments.csv:
        _write(arguments.csv, report.as_csv(description["modes"]))
    if arguments.plot:
        _write(arguments.plot, page(description, text.labels_of(description["modes"]), list(map(report.curve, every))))


def _write(file: Path, content: str) -> None:
    publish_text(printable(content), file)


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


def _source_of_times(provider: str, settings: str | None, *, is_computed: bool) -> str:
    if provider != RKNPU2_SIMULATOR:
        return "measured on this machine's NPU"
    if is_computed:
        return "modelled from the layers in the file, in virtual time; no NPU was involved"
    values = {**parse_settings(os.environ.get("EZ_RKNN_SIMULATOR", "")), **parse_settings(settings or "")}
    timing = values.get("timing", "off")
    if timing == "modelled":
        return "modelled from the layers in the file, and waited for by this machine; no NPU was involved"
    if timing == "off":
        return "those of this machine's processor, on which the NPU is simulated; they say nothing about an NPU"
    return f"simulated ({timing}); no NPU was involved"
