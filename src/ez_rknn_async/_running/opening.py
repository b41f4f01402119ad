# SPDX-License-Identifier: Apache-2.0
"""Opening a model: from a file and options to an executor."""

from __future__ import annotations

import functools
import logging
import os
import re
import warnings
from typing import TYPE_CHECKING, NamedTuple

from .. import model as rknn_file
from .._contexts.custom_ops import check_custom_operators, load_custom_ops, missing_operators
from .._host.paths import printable
from .._messages.callers import user_stacklevel
from .._messages.wording import option
from .._observing.layers import layer_table
from .._observing.perf_lines import PerfLines
from .._observing.perf_lines import are_wanted as perf_lines_are_wanted
from .._observing.profiling import Profiler
from .._options.plan import Plan, plan
from .._options.provider_options import parse_settings
from .._options.providers import RKNPU2, RKNPU2_SIMULATOR
from .._options.soc import SOCS, soc
from .._runtime.locate import SIMULATOR, LocatedRuntime, locate
from .._runtime.timeouts import within
from .._tensors.metadata import ModelMetadata
from ..errors import RknnValueError
from ..model.format.author_metadata import metadata_in
from .assembly import assemble
from .board_reports import warn_of_reports
from .executor import Executor
from .task_errors import Failures

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .._contexts.custom_ops import CustomOps
    from .._contexts.model_source import ModelSource
    from .._observing.task_observer import TaskObserver
    from .._options.provider_options import ProviderOptions
    from .._options.session_options import SessionOptions

# Sessions and `ezrknn doctor` warn of older ones, as the library that this one replaces does: Rockchip's examples for
# the current toolkit are made with this version.
OLDEST_RUNTIME = (2, 4, 1)

logger = logging.getLogger("ez_rknn_async")


class Loaded(NamedTuple):
    """The libraries that options name, loaded once: later their files may be gone, or the environment be another."""

    located: LocatedRuntime
    custom_ops: CustomOps | None


class Opened(NamedTuple):
    """A model on an NPU."""

    executor: Executor
    provider: str
    metadata: ModelMetadata
    profiler: Profiler | None
    loaded: Loaded


def open_model(
    source: ModelSource,
    provider: str | None,
    options: ProviderOptions,
    session_options: SessionOptions,
    lender: Executor | None = None,
    loaded: Loaded | None = None,
) -> Opened:
    """Check a model, find the runtime, and make the model ready on the cores that the options name.

    Args:
        source: the model.
        provider: the provider that was asked for, or None.
        options: the session's.
        session_options: whether to record a profile, and where.
        lender: runs the model with the weights that this one leaves out.
        loaded: what the same options loaded before, if they did.

    Raises:
        RknnModelError: the file is damaged, or not for this SoC or runtime.
        RknnClosedError: the lender is closed.
        RknnRuntimeNotFoundError: no runtime library could be loaded.
        RknnValueError: the options name what the SoC does not have, or a file that is not a plug-in.
    """
    with source.parsed() as model:
        located = loaded.located if loaded is not None else _locate(provider, options)
        if lender is not None:
            _check_lender(lender, located, options)
        target = _soc_of(located, options)
        if target is not None:
            rknn_file.check_target(model, target)
        chosen = plan(options, soc(target or model.target_platform))
        most = max(1 + group.count(",") for group in chosen.groups)
        _warn_about_cores(most, model)
        custom_ops = loaded.custom_ops if loaded is not None else load_custom_ops(located.library, options)
        check_custom_operators(model, located.library, custom_ops)
        profiler = _profiler(session_options, chosen)
        observers = [*_perf_lines(chosen), *([profiler] if profiler is not None else [])]
        failure = Failures(options.run_timeout_ms, missing_operators(model, custom_ops))
        weights = lender.contexts if lender is not None else None

        def open_executor() -> Executor:
            parts = assemble(located.library, source, model, chosen, options, weights, custom_ops)
            return Executor(parts, options, failure, observers)

        executor = within(options.load_timeout_ms, "loading the model", open_executor, Executor.close)
        try:
            executor.listen()
        except BaseException:
            executor.close()
            raise
        metadata = _metadata(model, source.metadata)
        if located.library.simulated:  # a board shows for itself
            together = most > 1 and most in model.graphs[0].core_modes
            warn_of_reports(source.name, model, together=together)
    logger.info(
        "session on %s: runtime %s, driver %s, cores %s",
        printable(located.library.path),
        *executor.versions,
        " ".join(chosen.groups),
    )
    try:
        _warn_about_version(executor.versions[0], located.library.path)
    except UserWarning:  # turned into an exception by a filter
        executor.close()
        raise
    if profiler is not None and options.collect_perf:
        measure = functools.partial(
            layer_table,
            located.library,
            source,
            options,
            chosen,
            executor.signature,
            weights,
            custom_ops,
        )
        profiler.measure_layers = lambda: within(options.load_timeout_ms, "measuring the layers", measure, str)
    used = RKNPU2_SIMULATOR if located.library.simulated else RKNPU2
    return Opened(executor, used, metadata, profiler, Loaded(located, custom_ops))


def _check_lender(lender: Executor, located: LocatedRuntime, options: ProviderOptions) -> None:
    if lender.library is not located.library:
        raise RknnValueError(
            f"use_weight_from runs on {lender.library.path} and this session on {located.library.path}; "
            "weights can only be shared within one runtime library"
        )
    if options.custom_op_path or options.custom_op_default_path:
        raise RknnValueError(
            "use_weight_from and custom operators are both set, but the runtime cannot combine them; leave out "
            "use_weight_from, and compile the model with its weights"
        )


def _profiler(session_options: SessionOptions, chosen: Plan) -> Profiler | None:
    if not session_options.enable_profiling:
        return None
    return Profiler(session_options.profile_file_prefix, _cores_of_workers(chosen))


def _perf_lines(chosen: Plan) -> list[TaskObserver]:
    return [PerfLines(_cores_of_workers(chosen))] if perf_lines_are_wanted() else []


def _cores_of_workers(chosen: Plan) -> list[str]:
    return [chosen.groups[worker.group] for worker in chosen.workers]


def _locate(provider: str | None, options: ProviderOptions) -> LocatedRuntime:
    library = options.runtime_library
    if provider == RKNPU2_SIMULATOR:
        if library not in (None, SIMULATOR):
            raise RknnValueError(
                f"provider {provider} runs on the simulated NPU, but {option('runtime_library', library)} is set; "
                "leave one out"
            )
        library = SIMULATOR
    return locate(library)


def _soc_of(located: LocatedRuntime, options: ProviderOptions) -> str | None:
    """Return the SoC that the runtime drives; None if it will be the one that the model is for."""
    if not located.library.simulated:
        return located.soc
    settings = {**parse_settings(os.environ.get("EZ_RKNN_SIMULATOR", "")), **parse_settings(options.simulator or "")}
    name = settings.get("soc")
    if name is not None and name not in SOCS:
        raise RknnValueError(f"the simulator setting soc={name} names an unknown SoC; choose one of {', '.join(SOCS)}")
    return name


def _warn_about_cores(most: int, model: rknn_file.Model) -> None:
    if most not in model.graphs[0].core_modes and most > 1:
        logger.warning(
            "%s uses %d cores, but the model was compiled for one: the runtime will use core 0 alone; "
            "compile it without single_core_mode",
            option("tp_mode"),
            most,
        )


def _warn_about_version(version: str, path: str) -> None:
    numbers = re.match(r"\D*(\d+)\.(\d+)\.(\d+)", version)
    if numbers is not None and tuple(map(int, numbers.groups())) < OLDEST_RUNTIME:
        oldest = ".".join(map(str, OLDEST_RUNTIME))
        warnings.warn(
            f"the runtime library {printable(path)} is of version {version}; before {oldest} it has faults that were "
            "fixed since: update librknnrt.so",
            UserWarning,
            stacklevel=user_stacklevel(),
        )


def _metadata(model: rknn_file.Model, beside: Mapping[str, str]) -> ModelMetadata:
    custom = {"rknn_custom_string": model.custom_string} if model.custom_string else {}
    return ModelMetadata(
        producer_name="rknn-toolkit2",
        producer_version=model.compiler,
        graph_name=model.target_platform,
        domain=model.framework,
        version=model.schema_version,
        custom_metadata_map={
            **beside,
            **metadata_in(model.custom_string),
            **custom,
            "target_platform": model.target_platform,
        },
    )
