# SPDX-License-Identifier: Apache-2.0
"""Programs for ONNX Runtime through the stand-in: the same as in ONNX Runtime, on the NPU."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from .clients import CLIENTS, Client
from .environments import BUILD, PATIENCE, Ended, python_with, run
from .networks import OCR, compiled, toolkit

pytestmark = pytest.mark.timeout(4 * PATIENCE)


def recorded(python: Path, name: str, program: Path, *arguments: str | Path) -> tuple[str, list[Path]]:
    """Run a program in ONNX Runtime; return what it prints, and the recording of each network."""
    folder = BUILD / "recorded" / name
    shutil.rmtree(folder, ignore_errors=True)
    ended = run(python, OCR / "record.py", folder, program, *arguments)
    return ended.stdout, sorted(folder.iterdir())


def run_on_npu(python: Path, networks: dict[str, Path], program: Path, *arguments: str | Path) -> Ended:
    """Run a program through the stand-in, with these networks on all cores and every other on the CPU."""
    environment = {
        "EZ_RKNN_ONNXRUNTIME_MODELS": os.pathsep.join(f"{name}.onnx={path}" for name, path in networks.items()),
        "EZ_RKNN_ONNXRUNTIME_OPTIONS": json.dumps({"schedule": "all"}),
        "EZ_RKNN_ONNXRUNTIME_BATCHES": "1",
    }
    return run(
        python, "-m", "ez_rknn_async.compat", "onnxruntime", program, *arguments, environment=environment, cwd=BUILD
    )


def placed(ended: Ended, device: str) -> set[str]:
    """The networks that the log says run there."""
    return set(re.findall(rf"([^/']+)\.onnx',? runs on the {device}", ended.stderr))


def same(given: Any, expected: Any, tolerance: float) -> bool:
    """Whether two results are equal but for numbers, which may differ by a tolerance."""
    if isinstance(expected, float):
        return isinstance(given, float) and abs(given - expected) <= tolerance * max(1.0, abs(expected) / 100)
    if isinstance(expected, list):
        return len(given) == len(expected) and all(same(*pair, tolerance) for pair in zip(given, expected))
    return bool(given == expected)


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_prints_the_same_as_in_onnxruntime(client: Client) -> None:
    """With its networks compiled, but for those that the compiler refuses, which stay on the CPU."""
    toolkit()
    python = python_with(client.name, *client.requirements)
    expected, recordings = recorded(python, client.name, client.program)
    networks = {each.name: compiled(each, *client.options) for each in recordings if each.name not in client.on_cpu}
    ended = run_on_npu(python, networks, client.program)
    assert same(last_line(ended.stdout), last_line(expected), client.tolerance), (ended.stdout, expected)
    assert placed(ended, "NPU") == set(networks)
    assert placed(ended, "CPU") >= set(client.on_cpu)


def last_line(printed: str) -> Any:
    """What the program found; packages may print before it."""
    return json.loads(printed.splitlines()[-1])
