# SPDX-License-Identifier: Apache-2.0
"""The board: its SoC, its NPU in the device tree, the kernel's driver, and the device nodes.

The paths are those of Rockchip's kernels (5.10 and 6.1) and of mainline (6.18, driver ``rocket``). The vendor's library
opens ``/dev/rknpu``, or if there is none the ``/dev/dri/card*`` whose driver is ``rknpu``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..._runtime.machine import soc_named_in
from .finding import ok, problem, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .finding import Finding
    from .tree import Tree

DEVICE_TREE = "/proc/device-tree"
# Below the first rknn_init fails; below the second it complains.
_LEAST_DRIVER, _QUIET_DRIVER = (0, 7, 0), (0, 8, 8)
_VENDOR_KERNEL = "boot a kernel of Rockchip's line (5.10 or 6.1, such as Armbian's 'vendor' branch), which has it"
_LEGACY_NODE = "/dev/rknpu"


def soc_of(tree: Tree) -> str | None:
    """Return the Rockchip SoC of a machine, such as ``"rk3588"``; None for any other machine."""
    return soc_named_in(tree.read(f"{DEVICE_TREE}/compatible") or "")


def check_board(tree: Tree, soc: str) -> Iterator[Finding]:
    """Yield the findings about the board itself."""
    model = (tree.read(f"{DEVICE_TREE}/model") or "").rstrip("\0")
    yield ok("SoC", f"{soc.upper()}, {model}" if model else soc.upper())
    yield from _device_tree(tree)
    if has_rocket(tree):
        yield problem(
            "driver",
            f"kernel {tree.kernel} drives the NPU with rocket, the mainline driver, which Rockchip's librknnrt.so "
            "cannot use",
            _VENDOR_KERNEL + "; or use Mesa's Teflon delegate, which is made for rocket",
        )
        return
    yield _driver(tree)
    yield _nodes(tree)


def _device_tree(tree: Tree) -> Iterator[Finding]:
    nodes = [f"{DEVICE_TREE}/{name}" for name in tree.names(DEVICE_TREE) if name.startswith("npu@")]
    states = {(tree.read(f"{node}/status") or "okay").rstrip("\0") for node in nodes}
    if nodes and "okay" not in states:
        yield problem(
            "device tree",
            "the NPU is disabled in the device tree",
            "enable it with an overlay (armbian-config, rsetup or orangepi-config has one), and reboot",
        )


def has_rocket(tree: Tree) -> bool:
    """Check if the NPU belongs to the mainline driver, which Rockchip's library does not know."""
    return any(name.startswith("accel") for name in tree.names("/dev/accel")) or bool(
        tree.names("/sys/bus/platform/drivers/rocket")
    )


def _driver(tree: Tree) -> Finding:
    text = driver_version(tree)
    if text is None:
        if tree.names("/sys/bus/platform/drivers/RKNPU"):
            return ok("driver", f"rknpu, kernel {tree.kernel}; its version is for root to read")
        return problem("driver", f"kernel {tree.kernel} has no rknpu driver", _VENDOR_KERNEL)
    version = tuple(map(int, text.split(".")))
    described = f"rknpu {text}, kernel {tree.kernel}"
    newer = "install a newer kernel of your board's vendor; the driver comes with it"
    if version < _LEAST_DRIVER:
        return problem("driver", f"{described}: too old for librknnrt.so", newer)
    if version < _QUIET_DRIVER:
        return warning("driver", f"{described}: librknnrt.so works with it, but asks for a newer one", newer)
    return ok("driver", described)


def driver_version(tree: Tree) -> str | None:
    """Return the version of the rknpu driver, ``"0.9.8"``; None if only root may read it, or there is none."""
    for path in ("/sys/module/rknpu/version", "/sys/kernel/debug/rknpu/version", "/proc/rknpu/version"):
        found = re.search(r"\d+\.\d+\.\d+", tree.read(path) or "")
        if found:
            return found[0]
    return None


def npu_nodes(tree: Tree) -> list[str]:
    """Return the device nodes of the rknpu driver."""
    nodes = [_LEGACY_NODE] if tree.node(_LEGACY_NODE) else []
    for name in tree.names("/sys/class/drm"):
        if re.fullmatch(r"(card|renderD)\d+", name):
            driver = tree.read(f"/sys/class/drm/{name}/device/uevent") or ""
            if "DRIVER=RKNPU" in driver.splitlines() and tree.node(f"/dev/dri/{name}"):
                nodes.append(f"/dev/dri/{name}")
    return nodes


def _nodes(tree: Tree) -> Finding:
    nodes = npu_nodes(tree)
    # The library opens these, but no render nodes.
    opened = [node for node in nodes if "/renderD" not in node]
    if not opened:
        return problem(
            "device nodes",
            "there is no /dev/rknpu, and no /dev/dri/card* of the rknpu driver",
            "see `dmesg | grep -i rknpu`; in a container, start it with --device /dev/dri (and /dev/rknpu if the "
            "host has it)",
        )
    described = {path: node for path in opened if (node := tree.node(path))}
    closed = {path: node for path, node in described.items() if not tree.may_open(node)}
    if len(closed) == len(described):
        groups = ",".join(sorted({node.group for node in closed.values()}))
        listed = ", ".join(f"{path} ({node.mode} {node.user}:{node.group})" for path, node in closed.items())
        return problem(
            "device nodes",
            f"user {tree.user.name} may not open {listed}",
            f"sudo usermod -aG {groups} {tree.user.name}, then log in again",
        )
    return ok("device nodes", ", ".join(path for path in described if path not in closed))
