# SPDX-License-Identifier: Apache-2.0
"""The choice of the runtime library.

The first rule that applies decides:

1. the provider option ``runtime_library``;
2. the environment variable ``EZ_RKNN_RUNTIME_LIBRARY``, or ``ZTU_RKNPU2_RUNTIME_LIBRARY``;
3. on a Rockchip SoC (by the device tree), the system's ``librknnrt.so``;
4. the simulated NPU.

In 1 and 2 the name ``"simulator"`` stands for the simulated NPU. A rule that applies and fails is an error: a program
that asked for a library, or runs on a board, must not silently be given another one.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, replace

from .._host.paths import printable
from .._messages.wording import option
from ..errors import RknnRuntimeNotFoundError
from .abi import NATIVE
from .library import Library, load
from .machine import rockchip_soc

logger = logging.getLogger("ez_rknn_async")

SIMULATOR = "simulator"
SIMULATOR_LIBRARY = NATIVE / "simulated" / "librknnrt.so"
ENVIRONMENT = ("EZ_RKNN_RUNTIME_LIBRARY", "ZTU_RKNPU2_RUNTIME_LIBRARY")
SYSTEM_LIBRARIES = (
    "librknnrt.so",  # wherever the loader finds it
    "/usr/lib/librknnrt.so",
    "/usr/lib64/librknnrt.so",
    "/usr/lib/aarch64-linux-gnu/librknnrt.so",
    "/usr/local/lib/librknnrt.so",
    "/vendor/lib64/librknnrt.so",
    "librknnrt.so.2",
)


@dataclass(frozen=True)
class LocatedRuntime:
    """The library that was chosen.

    Attributes:
        library: the loaded library.
        reason: the rule that chose it, as a phrase.
        soc: the SoC that it drives, if that is known before a model is loaded.
        is_last_resort: True if no rule but the last one applied.
    """

    library: Library
    reason: str
    soc: str | None
    is_last_resort: bool = False


def locate(runtime_library: str | None = None) -> LocatedRuntime:
    """Find and load the runtime library.

    Raises:
        RknnRuntimeNotFoundError: with every path that was tried and what was wrong with it.
    """
    located = _choose(runtime_library)
    logger.info("runtime library: %s (%s)", printable(located.library.path), located.reason)
    return located


def _choose(runtime_library: str | None) -> LocatedRuntime:
    soc = rockchip_soc()
    if runtime_library is not None:
        return _named(runtime_library, "provider option runtime_library", soc)
    for variable in ENVIRONMENT:
        if os.environ.get(variable):
            return _named(os.environ[variable], f"environment variable {variable}", soc)
    if soc is not None:
        return LocatedRuntime(_first_that_loads(SYSTEM_LIBRARIES, soc), f"this machine is an {soc.upper()}", soc)
    return replace(_simulator("this machine has no Rockchip NPU"), is_last_resort=True)


def _named(name: str, reason: str, soc: str | None) -> LocatedRuntime:
    if name == SIMULATOR:
        return _simulator(reason)
    library = load(name)
    # A library chosen by name may be the simulated one too, and that one can be any SoC.
    return LocatedRuntime(library, reason, None if library.simulated else soc)


def _simulator(reason: str) -> LocatedRuntime:
    return LocatedRuntime(load(str(SIMULATOR_LIBRARY)), f"simulated NPU: {reason}", None)


def _first_that_loads(paths: tuple[str, ...], soc: str) -> Library:
    tried: list[tuple[str, str]] = []
    for path in paths:
        try:
            return load(path)
        except RknnRuntimeNotFoundError as error:
            tried += error.tried
    raise RknnRuntimeNotFoundError(
        f"this machine is an {soc.upper()}, but no librknnrt.so could be loaded: "
        + "; ".join(f"{path}: {reason}" for path, reason in tried),
        tried=tried,
        hint="install Rockchip's runtime, name it with EZ_RKNN_RUNTIME_LIBRARY=/path/to/librknnrt.so, "
        f"or use the simulated NPU with {option('runtime_library', 'simulator')}",
    )
