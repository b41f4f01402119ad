# SPDX-License-Identifier: Apache-2.0
"""Models in other container formats, and the SoC and toolkit that their summary names.

All of them begin with ``RKNN`` and end with a summary in JSON, which names the SoC and the toolkit.
"""

from __future__ import annotations

import re
from typing import NamedTuple

MINI_VERSION = 0x1004
# The container version of rknn-toolkit 1, whose NPUs are another architecture.
FIRST_GENERATION = 1

# The search for the summary covers this many bytes at the file's end.
_REACH = 1 << 20
_TARGET = re.compile(rb'"target_platform"\s*:\s*\[?\s*"([\w.-]{1,32})"')
_TOOLKIT = re.compile(rb'"version"\s*:\s*"(\d[\w.+-]{0,31})"')

# The SoCs that run models of the first generation, and of the mini format.
_FIRST_SOCS = "RK1808, RK1806, RK3399Pro, RV1109 and RV1126"
_FIRST_NAMES = ("rk1808", "rk1806", "rk3399pro", "rv1109", "rv1126")
_MINI_SOCS = "RV1103 and RV1106"

SECOND_GENERATION_SOCS = ("rk3562", "rk3566", "rk3568", "rk3576", "rk3588", "rv1126b")


class Origin(NamedTuple):
    """The SoC and toolkit of a model; empty strings if unknown."""

    soc: str
    toolkit: str


def origin_of(data: memoryview) -> Origin:
    """Return the origin named by the summary at the end of a file."""
    end = bytes(data[-_REACH:])
    targets, versions = _TARGET.findall(end), _TOOLKIT.findall(end)
    return Origin(*((found[-1].decode() if found else "") for found in (targets, versions)))


def refusal(version: int, origin: Origin, readable: int) -> tuple[str, str] | None:
    """Explain an older container version or the mini format; return the message and the advice, or None.

    Args:
        version: of the container.
        origin: of the model.
        readable: the version that can be read.
    """
    if version == MINI_VERSION:
        what = f"the model is in the mini format (container version {version:#x}){_made(origin)}"
        return what, _mini_advice(origin.soc.lower())
    if version >= readable:
        return None
    what = f"the model file has container version {version}{_made(origin)}"
    if version > FIRST_GENERATION and origin.soc.lower() not in _FIRST_NAMES:
        return f"{what}, which is too old: {readable} can be read", (
            "compile the model again with rknn-toolkit2 1.5.2 or later"
        )
    soc = origin.soc.upper() or f"one of {_FIRST_SOCS}"
    what += f": it is of rknn-toolkit 1, for the NPU of {soc}, which is another architecture than RKNPU2"
    return what, (
        "run it on that SoC with its own runtime, or compile the original network with rknn-toolkit2 for this one, "
        "such as target_platform='rk3588'"
    )


def _made(origin: Origin) -> str:
    said = [f"by toolkit {origin.toolkit}"] * bool(origin.toolkit) + [f"for {origin.soc.upper()}"] * bool(origin.soc)
    return f", compiled {' '.join(said)}" if said else ""


def _mini_advice(soc: str) -> str:
    if soc in SECOND_GENERATION_SOCS:
        return "compile the model again without mini_rknn=True"
    belongs = f"it belongs to {soc.upper()}" if soc else f"it belongs to small SoCs such as {_MINI_SOCS}"
    return (
        f"{belongs} and the C runtime there (librknnmrt.so); for another SoC compile the original network with "
        "rknn-toolkit2 for that, such as target_platform='rk3588', and without mini_rknn=True"
    )
