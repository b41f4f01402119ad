# SPDX-License-Identifier: Apache-2.0
"""``ezrknn bench`` on the simulated NPU: computed, the same every time, and right about seeded bottlenecks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ez_rknn_async.cli.bench import host

from .conftest import Ezrknn

SIMULATOR = ["--runtime-library", "simulator"]


def rows(ezrknn: Ezrknn, *arguments: object) -> dict[str, Any]:
    return json.loads(ezrknn("bench", *arguments, *SIMULATOR, "--json"))


@pytest.mark.parametrize(
    "arguments",
    [["--compare"], ["--rate=2000", "--schedule=all"], ["--in-flight=sweep"], ["--deadline=1"]],
    ids=lambda arguments: arguments[0],
)
def test_the_same_on_a_busy_machine_to_the_last_digit(data: Path, ezrknn: Ezrknn, arguments: list[str]) -> None:
    """A figure that is computed from a file belongs to the file; random arrivals have a seed."""
    command = ("bench", data / "snippet.rknn", *arguments, "--runs=400", *SIMULATOR, "--json")
    first = ezrknn(*command)
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2 * host.processors())]
    try:
        assert {ezrknn(*command) for _ in range(2)} == {first}
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


@pytest.mark.parametrize(
    ("cause", "model", "arguments"),
    [
        ("npu", "snippet", ["--schedule=all"]),
        ("memory", "lstm_lengths_fp16", ["--schedule=all"]),
        ("in flight", "snippet", ["--schedule=all", "--in-flight=1"]),
        ("callbacks", "snippet", ["--schedule=all", "--callback-ms=5"]),
        ("nothing", "snippet", ["--schedule=all", "--rate=5000"]),
        ("npu", "snippet", ["--schedule=all", "--rate=100000"]),
    ],
)
def test_names_a_bottleneck_in_virtual_time(
    data: Path, ezrknn: Ezrknn, cause: str, model: str, arguments: list[str]
) -> None:
    """Exactly, as nothing disturbs it."""
    found = rows(ezrknn, data / f"{model}.rknn", *arguments, "--runs=600")
    assert "in virtual time" in found["times"]
    (row,) = found["modes"]
    assert row["cause"] == cause, row
    assert row["host"] is None


def test_what_is_of_this_machine_is_measured(data: Path, ezrknn: Ezrknn) -> None:
    """Ways to run differ by what they cost it; and settings of the user are those of sessions."""
    for arguments in (["--ways=submit"], ["--batch=2"], ["--simulator=timing=modelled,compute=off"]):
        found = rows(ezrknn, data / "tiny_conv_int8.rknn", *arguments, "--runs=10")
        assert "virtual" not in found["times"]
        assert found["modes"][0]["host"] is not None


def test_computed_figures_carry_every_percentile(data: Path, ezrknn: Ezrknn) -> None:
    """Runs cost little there: enough of them by default."""
    (row,) = rows(ezrknn, data / "snippet.rknn")["modes"]
    assert set(row["latency_ms"]) == {"p50", "p90", "p99", "p99.9", "min", "max", "mean"}


def test_a_wrong_input_is_refused_though_it_would_change_nothing(data: Path, ezrknn_refuses: Ezrknn) -> None:
    """Unknown means refused."""
    said = ezrknn_refuses("bench", data / "snippet.rknn", *SIMULATOR, "--input", "none.npy")
    assert "none.npy cannot be read" in said


def test_against_itself_with_no_tolerance_nothing_has_changed(data: Path, tmp_path: Path, ezrknn: Ezrknn) -> None:
    """Computed figures have no noise."""
    command = ["bench", data / "snippet.rknn", *SIMULATOR, "--schedule=all"]
    ezrknn(*command, f"--save={tmp_path / 'old.json'}")
    assert "No row is worse" in ezrknn(*command, f"--against={tmp_path / 'old.json'}", "--tolerance=0")
