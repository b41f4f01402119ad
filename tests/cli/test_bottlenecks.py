# SPDX-License-Identifier: Apache-2.0
"""Bottlenecks that are put there on purpose, in live sessions: each is named rightly.

Only the test of the busy machine asks what else the machine does; for the others it is taken to be idle, as they must
hold on a busy one too.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ez_rknn_async.cli import main
from ez_rknn_async.cli.bench import host

from .figures import IDLE


@pytest.fixture
def idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that does nothing else."""
    monkeypatch.setattr(host.HostWatch, "read", lambda *_: IDLE)


@pytest.fixture
def busy_loops() -> Iterator[None]:
    """Programs that keep every processor busy."""
    loop = [sys.executable, "-c", "print(flush=True)\nwhile True: pass"]
    programs = [subprocess.Popen(loop, stdout=subprocess.PIPE) for _ in range(2 * host.processors())]
    for program in programs:
        assert program.stdout is not None
        program.stdout.readline()
    yield
    for program in programs:
        program.kill()
        program.communicate()


def bench(capsys: pytest.CaptureFixture[str], model: Path, settings: str, *arguments: str) -> dict[str, Any]:
    """Measure the model on the simulated NPU and return the first row."""
    options = ["--runtime-library", "simulator", "--simulator", f"compute=off,{settings}", "--json"]
    assert main(["bench", str(model), *options, *arguments]) == 0
    row: dict[str, Any] = json.loads(capsys.readouterr().out)["modes"][0]
    return row


@pytest.mark.usefixtures("idle")
@pytest.mark.parametrize(
    ("cause", "settings", "arguments"),
    [
        ("npu", "timing=fixed:40000", ["--schedule=0", "--threads-per-core=2", "--runs=25"]),
        ("slow core", "timing=fixed:5000,slowdown=2:4", ["--schedule=all", "--runs=90"]),
        ("in flight", "timing=fixed:20000", ["--schedule=all", "--in-flight=1", "--runs=20"]),
        ("callbacks", "timing=fixed:500", ["--schedule=all", "--callback-ms=10", "--runs=60"]),
        (
            "conversion",
            "timing=fixed:2000,fault=rknn_inputs_set:delay=8000",
            ["--schedule=0", "--io-mode=copy", "--runs=50"],
        ),
        ("nothing", "timing=fixed:5000", ["--schedule=all", "--rate=20", "--runs=10"]),
    ],
)
def test_names_a_bottleneck_that_was_put_there(
    capsys: pytest.CaptureFixture[str], data: Path, cause: str, settings: str, arguments: list[str]
) -> None:
    """A slow core, one request in flight, slow callbacks, slow conversions; and no bottleneck at all."""
    row = bench(capsys, data / "tiny_conv_int8.rknn", settings, *arguments)
    assert row["cause"] == cause, row


@pytest.mark.usefixtures("busy_loops")
def test_a_busy_machine_cannot_say(capsys: pytest.CaptureFixture[str], data: Path) -> None:
    """Callbacks that do nothing are late there, and inferences end when a thread gets a processor."""
    row = bench(capsys, data / "tiny_conv_int8.rknn", "timing=fixed:100", "--schedule=0,1,2", "--seconds=1")
    assert row["cause"] == "busy machine", row
    assert row["host"]["others"] > 0.2
