# SPDX-License-Identifier: Apache-2.0
"""The SoC that a device tree describes."""

from __future__ import annotations

from pathlib import Path

import pytest

from ez_rknn_async._runtime.machine import rockchip_soc


@pytest.mark.parametrize(
    ("compatible", "soc"),
    [
        (b"radxa,rock-5b\0rockchip,rk3588\0", "rk3588"),
        (b"xunlong,orangepi-5\0rockchip,rk3588s\0", "rk3588"),
        (b"friendlyarm,nanopi-m5\0rockchip,rk3576\0", "rk3576"),
        (b"rockchip,rk3566-evb\0rockchip,rk3566\0", "rk3566"),
        (b"rockchip,rv1126b\0", "rv1126b"),
        (b"raspberrypi,4-model-b\0brcm,bcm2711\0", None),
        (b"", None),
    ],
)
def test_the_soc_is_the_last_rockchip_name_of_the_root_node(compatible: bytes, soc: str | None, tmp_path: Path) -> None:
    """Boards name themselves first; the NPU is that of the SoC behind them."""
    (tmp_path / "compatible").write_bytes(compatible)
    assert rockchip_soc(tmp_path) == soc


def test_a_machine_without_a_device_tree_is_not_a_rockchip(tmp_path: Path) -> None:
    """Every laptop is one."""
    assert rockchip_soc(tmp_path / "nowhere") is None
