# SPDX-License-Identifier: Apache-2.0
"""The speed of the machine: clocks and governors of NPU, memory and CPU, and the NPU's SRAM.

Published frame rates are of boards whose clocks were at their maximum; a governor that saves power halves them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .finding import ok, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .finding import Finding
    from .tree import Tree

DEVFREQ = "/sys/class/devfreq"
CPUFREQ = "/sys/devices/system/cpu/cpufreq"


def check_clocks(tree: Tree) -> Iterator[Finding]:
    """Yield the findings about clocks and SRAM, as far as this user may read them."""
    devices = tree.names(DEVFREQ)
    for subject, chosen in (
        ("NPU clock", [name for name in devices if name.endswith(".npu")]),
        ("DDR clock", [name for name in devices if name == "dmc" or name.endswith(".dmc")]),
    ):
        for name in chosen:
            yield _clock(tree, subject, f"{DEVFREQ}/{name}", ("governor", "cur_freq", "max_freq"), 1_000_000)
    for policy in tree.names(CPUFREQ):
        if policy.startswith("policy"):
            files = ("scaling_governor", "scaling_cur_freq", "scaling_max_freq")
            yield _clock(tree, f"CPU clock ({policy})", f"{CPUFREQ}/{policy}", files, 1000)
    yield from _sram(tree)


def _clock(tree: Tree, subject: str, folder: str, files: tuple[str, str, str], per_mhz: int) -> Finding:
    governor, current, highest = ((tree.read(f"{folder}/{name}") or "").strip() for name in files)
    mhz = [int(text) // per_mhz if text.isdigit() else None for text in (current, highest)]
    described = f"{mhz[0] or '?'} of {mhz[1] or '?'} MHz, governor {governor or 'unknown'}"
    if governor == "powersave" or (governor == "userspace" and mhz[0] != mhz[1]):
        return warning(subject, described, f"echo performance | sudo tee {folder}/{files[0]}")
    return ok(subject, described)


def _sram(tree: Tree) -> Iterator[Finding]:
    for path in ("/sys/kernel/debug/rknpu/mm", "/proc/rknpu/mm"):
        found = re.search(r"SRAM total size: (\d+), used: (\d+), free: (\d+)", tree.read(path) or "")
        if found:
            total, _, free = (int(number) // 1024 for number in found.groups())
            yield ok("SRAM", f"{free} of {total} KiB are free")
            return
