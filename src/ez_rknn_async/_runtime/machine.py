# SPDX-License-Identifier: Apache-2.0
"""The SoC of this machine, from the device tree."""

from __future__ import annotations

import re
from pathlib import Path

DEVICE_TREE = Path("/proc/device-tree")
_ROCKCHIP = re.compile(r"rockchip,((?:rk|rv)\d{4}[a-z]?)")


def rockchip_soc(device_tree: Path = DEVICE_TREE) -> str | None:
    """Return the name of the Rockchip SoC that this program runs on, such as ``"rk3588"``; None on other machines.

    The root node's ``compatible`` lists the board first and the SoC last; ``rk3588s`` is an RK3588 to the NPU.
    """
    try:
        return soc_named_in((device_tree / "compatible").read_bytes().decode("ascii", "replace"))
    except OSError:
        return None


def soc_named_in(compatible: str) -> str | None:
    """Return the Rockchip SoC in a device tree's ``compatible``: names that end with a zero byte each."""
    names = [match[1] for part in compatible.split("\0") if (match := _ROCKCHIP.fullmatch(part))]
    if not names:
        return None
    name = names[-1]
    return name[:-1] if re.fullmatch(r"rk\d{4}[a-z]", name) else name
