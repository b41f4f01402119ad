# SPDX-License-Identifier: Apache-2.0
"""What figures belong to: the model's content, the versions of everything, the machine, its governors and clocks."""

from __future__ import annotations

import hashlib
import os
import platform
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import __version__
from ..._runtime.locate import locate
from ..doctor.board import DEVICE_TREE, driver_version
from ..doctor.clocks import CPUFREQ, DEVFREQ
from ..doctor.software import find_runtime
from ..doctor.tree import LiveTree

if TYPE_CHECKING:
    from ..._contexts.model_source import ModelSource
    from ..doctor.tree import Tree


def describe_model(source: ModelSource) -> dict[str, Any]:
    """Describe a model: its name, the SHA-256 of its content, and what it was compiled for and by."""
    with source.content(by_path=False) as content:
        assert not isinstance(content, str)
        digest, size = hashlib.sha256(content).hexdigest(), len(content)
    with source.parsed() as model:
        return {
            "file": source.name,
            "sha256": digest,
            "bytes": size,
            "target_platform": model.target_platform,
            "toolkit_version": ".".join(map(str, model.toolkit_version)),
            "compiler": model.compiler,
        }


def describe_machine(tree: Tree | None = None, *, clocks: bool = True) -> dict[str, Any]:
    """Describe the machine: what it is, its processors, and with ``clocks`` governors and clocks of this moment."""
    tree = LiveTree() if tree is None else tree
    return {
        "name": (tree.read(f"{DEVICE_TREE}/model") or "").strip("\0\n ") or _processor(tree),
        "architecture": platform.machine(),
        "processors": os.cpu_count() or 1,
        "kernel": tree.kernel,
        "governors": _governors(tree) if clocks else {},
    }


def describe_versions(runtime_library: str | None, tree: Tree | None = None) -> dict[str, Any]:
    """Return the versions of this package and of what is below it; None for what is not there."""
    tree = LiveTree() if tree is None else tree
    located = locate(runtime_library)
    vendor = None if located.library.simulated else find_runtime(tree, os.environ)
    return {
        "ez_rknn_async": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "librknnrt": "simulated" if located.library.simulated else (vendor[1] if vendor else None),
        "driver": driver_version(tree),
    }


def _processor(tree: Tree) -> str:
    found = re.search(r"^model name\s*: (.+)$", tree.read("/proc/cpuinfo") or "", re.MULTILINE)
    return found[1] if found else platform.machine()


def _governors(tree: Tree) -> dict[str, dict[str, Any]]:
    """Return governor, clock and highest clock in MHz, by the kernel's name for what has them."""
    found: dict[str, dict[str, Any]] = {}
    for name in tree.names(DEVFREQ):
        if name.endswith((".npu", ".dmc")) or name == "dmc":
            found[name] = _governor(tree, f"{DEVFREQ}/{name}", ("governor", "cur_freq", "max_freq"), 1_000_000)
    for policy in tree.names(CPUFREQ):
        if policy.startswith("policy"):
            files = ("scaling_governor", "scaling_cur_freq", "scaling_max_freq")
            found[policy] = _governor(tree, f"{CPUFREQ}/{policy}", files, 1000)
    return found


def _governor(tree: Tree, folder: str, files: tuple[str, str, str], per_mhz: int) -> dict[str, Any]:
    governor, now, most = ((tree.read(f"{folder}/{name}") or "").strip() for name in files)
    clocks = [int(text) // per_mhz if text.isdigit() else None for text in (now, most)]
    return {"governor": governor or None, "mhz": clocks[0], "highest_mhz": clocks[1]}
