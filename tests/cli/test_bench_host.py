# SPDX-License-Identifier: Apache-2.0
"""What ``ezrknn bench`` asks the machine: clocks, heat, processors."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from ez_rknn_async.cli.bench.environment import describe_machine
from ez_rknn_async.cli.bench.host import Clock, HostWatch, npu_clock, this_thread_waited
from ez_rknn_async.cli.doctor.tree import RecordedTree


def board(**files: str) -> RecordedTree:
    """A board whose files are given, with ``__`` in their names for slashes below /sys/class."""
    texts = {f"/sys/class/{path.replace('__', '/')}": {"text": text} for path, text in files.items()}
    return RecordedTree(json.dumps({"kernel": "6.1", "user": {"name": "x", "groups": []}, "files": texts}))


def devfreq(now: str, most: str, listed: str = "", governor: str = "rknpu_ondemand\n") -> RecordedTree:
    values = {"cur_freq": now, "max_freq": most, "available_frequencies": listed, "governor": governor}
    return board(**{f"devfreq__fdab0000.npu__{name}": text for name, text in values.items()})


@pytest.mark.parametrize(
    ("tree", "clock", "is_low"),
    [
        (devfreq("1000000000\n", "1000000000\n"), Clock(1000, 1000, "rknpu_ondemand"), False),
        (devfreq("300000000\n", "1000000000\n"), Clock(300, 1000, "rknpu_ondemand"), True),
        # Heat lowers what may be chosen; the list has what the hardware can do.
        (devfreq("600000000", "600000000", "600000000 1000000000\n"), Clock(600, 1000, "rknpu_ondemand"), True),
        (devfreq("", "", "", ""), None, False),
        (board(), None, False),
    ],
)  # fmt: skip
def test_reads_the_clock_of_the_npu(tree: RecordedTree, clock: Clock | None, is_low: bool) -> None:
    """And how it stands to what it could be."""
    found = npu_clock(tree)
    assert found == clock
    assert found is None or found.is_low is is_low


DEVICE, STATE = "thermal__cooling_device0__type", "thermal__cooling_device0__cur_state"


@pytest.mark.parametrize(
    ("files", "celsius", "cooled"),
    [
        ({}, None, False),
        ({"thermal__thermal_zone0__temp": "41000\n", "thermal__thermal_zone1__temp": "86500\n"}, 86.5, False),
        ({DEVICE: "devfreq-fdab0000.npu", STATE: "2"}, None, True),
        ({DEVICE: "pwm-fan", STATE: "3"}, None, False),
        ({DEVICE: "cpufreq-cpu0", STATE: "0"}, None, False),
    ],
)  # fmt: skip
def test_reads_if_the_board_is_hot(files: dict[str, str], celsius: float | None, cooled: bool) -> None:
    """A fan at work is no throttling."""
    load = HostWatch(board(**files)).read()
    assert (load.celsius, load.cooled) == (celsius, cooled)


def test_own_work_is_not_that_of_others() -> None:
    """A loop in this process is its own."""
    watch, end = HostWatch(), time.process_time() + 0.3
    while time.process_time() < end:
        pass
    load = watch.read()
    assert load.own > 0
    assert load.own + load.others <= 1 + 1e-9
    assert this_thread_waited() >= 0
    assert load.waited >= 0


@pytest.mark.parametrize("name", ["rk3588", "rk3566", "rk3576", "rk3588_mainline"])
def test_describes_recorded_boards(data: Path, name: str) -> None:
    """With governors of NPU, memory and processors, as far as a user may read them."""
    tree = RecordedTree((data / "boards" / f"{name}.json").read_text())
    found: dict[str, Any] = describe_machine(tree)
    assert found["name"]
    assert found["kernel"] == tree.kernel
    assert all({"governor", "mhz", "highest_mhz"} == set(each) for each in found["governors"].values())
    assert json.dumps(found)
