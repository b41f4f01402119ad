# SPDX-License-Identifier: Apache-2.0
"""The software: Rockchip's runtime library, the simulated NPU, and a model for them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..._running.opening import OLDEST_RUNTIME
from ..._runtime.library import load as load_library
from ..._runtime.locate import ENVIRONMENT, SIMULATOR, SIMULATOR_LIBRARY, SYSTEM_LIBRARIES
from ...errors import RknnError, naming
from ...model import check_target, load
from ...model.reports import sightings
from ...simulator.start import INSTALL, missing
from .finding import ok, problem, warning

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .finding import Finding
    from .tree import Tree

# The loader's own paths, besides those of SYSTEM_LIBRARIES.
_ON_THE_LOADERS_PATH = ("/lib/aarch64-linux-gnu/librknnrt.so", "/usr/lib/librknnrt.so.2")
_WHERE_TO_GET_IT = (
    "copy librknnrt.so of Rockchip's rknn-toolkit2 repository (rknpu2/runtime/Linux/librknn_api/aarch64) to /usr/lib"
)


def find_runtime(tree: Tree, environment: Mapping[str, str]) -> tuple[str, str] | None:
    """Return path and version of the library that a session would load; None if there is none."""
    named = _named(environment)
    paths = [path for path in (*SYSTEM_LIBRARIES, *_ON_THE_LOADERS_PATH) if path.startswith("/")]
    if named is not None:
        paths = [named[1]]
    for path in paths:
        version = tree.library_version(path)
        if version is not None:
            return path, version
    return None


def check_runtime(tree: Tree, environment: Mapping[str, str]) -> Finding:
    """Check that Rockchip's library is there, and not too old."""
    named = _named(environment)
    if named is not None and named[1] == SIMULATOR:
        return warning(
            "librknnrt", f"{named[0]}=simulator: sessions use the simulated NPU", f"unset {named[0]} to use the NPU"
        )
    found = find_runtime(tree, environment)
    if found is None and named is not None:
        return _missing(*named)
    if found is None:
        return problem("librknnrt", "there is no librknnrt.so where programs look for it", _WHERE_TO_GET_IT)
    path, version = found
    if not version:
        return warning("librknnrt", f"{path} does not say its version", _WHERE_TO_GET_IT)
    if _numbers(version) < OLDEST_RUNTIME:
        oldest = ".".join(map(str, OLDEST_RUNTIME))
        return warning("librknnrt", f"{path}, version {version}: older than {oldest}", _WHERE_TO_GET_IT)
    return ok("librknnrt", f"{path}, version {version}")


def check_named_runtime(tree: Tree, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Check the library that the environment names on a machine without an NPU, if it names one."""
    named = _named(environment)
    if named is None or named[1] == SIMULATOR:
        return
    variable, path = named
    if tree.library_version(path) is None:
        yield _missing(variable, path)
    else:
        yield ok("librknnrt", f"{path}, named by {variable}")


def check_model(path: str, soc: str | None, runtime_version: str | None) -> Iterator[Finding]:
    """Check that a model is for this SoC, not newer than the runtime, and not of a kind that failed on boards."""
    try:
        with naming(path), load(path) as model:
            toolkit, target = model.toolkit_version, model.target_platform
            if soc is not None:
                check_target(model, soc)
            seen = sightings(model)
    except RknnError as error:
        yield problem(
            "model", str(error).removesuffix(f"; {error.hint}"), error.hint or "give the path of a .rknn file"
        )
        return
    described = f"{path}: for {target}, by toolkit {'.'.join(map(str, toolkit))}"
    if runtime_version and _numbers(runtime_version)[:2] < toolkit[:2]:
        yield warning(
            "model",
            f"{described}, which is newer than the runtime {runtime_version}",
            f"{_WHERE_TO_GET_IT}; or compile the model with an older toolkit",
        )
    else:
        yield ok("model", described)
    for sighting in seen:
        yield warning("reported", sighting.text, sighting.report.advice)


def check_simulator(*, is_needed: bool) -> Finding:
    """Check that the simulated NPU loads, and has the packages that it computes with.

    Args:
        is_needed: True if models have nowhere else to run; on a board the package comes without those packages.
    """
    try:
        load_library(str(SIMULATOR_LIBRARY))
    except RknnError as error:
        return problem("simulated NPU", str(error), "install the package again")
    reason = missing()
    if reason:
        return (problem if is_needed else ok)("simulated NPU", reason, INSTALL)
    return ok("simulated NPU", 'ready: runtime_library="simulator", or the default where there is no NPU')


def _named(environment: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the variable that names the library to use, and its value."""
    for variable in ENVIRONMENT:
        if environment.get(variable):
            return variable, environment[variable]
    return None


def _missing(variable: str, path: str) -> Finding:
    return problem("librknnrt", f"{variable} names {path}, which is not there", f"correct {variable}, or unset it")


def _numbers(version: str) -> tuple[int, ...]:
    found = re.match(r"(\d+)\.(\d+)\.(\d+)", version)
    return tuple(map(int, found.groups())) if found else ()
