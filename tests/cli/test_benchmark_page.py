# SPDX-License-Identifier: Apache-2.0
"""``docs/how-to/benchmark.md``: each of its commands runs, in its order."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ez_rknn_async import InferenceSession
from ez_rknn_async.cli import main, parser
from ez_rknn_async.cli.bench import diagnosis

COMMAND = re.compile(r"^    ezrknn (.*)$", re.MULTILINE)
QUICK = ["--runtime-library", "simulator", "--simulator", "timing=fixed:300,compute=off"]


@pytest.fixture
def page(root: Path) -> str:
    return (root / "docs/how-to/benchmark.md").read_text()


def test_every_command_runs(
    data: Path, tmp_path: Path, page: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On an NPU that takes 0.3 ms, for a shorter time where the page has seconds."""
    shutil.copy(data / "snippet.rknn", tmp_path / "model.rknn")
    shutil.copy(data / "tiny_conv_int8.rknn", tmp_path / "other.rknn")
    monkeypatch.chdir(tmp_path)
    with InferenceSession("model.rknn", provider_options={"runtime_library": "simulator"}) as session:
        (node,) = session.get_inputs()
    arrays: dict[str, Any] = {node.name: np.zeros((3, *node.shape[1:]), np.float32)}
    np.savez("samples.npz", **arrays)
    Image.new("RGB", (40, 30)).save("image.jpg")
    commands = [shlex.split(line) for line in COMMAND.findall(page)]
    assert len(commands) > 15
    for command in commands:
        arguments = [*command, *QUICK, "--seconds", "0.05", "--percentile", "50"]
        # So short a measurement is mostly noise, which a verdict says.
        assert main(arguments) in ((0, 4) if "--against" in command else (0,)), command
        assert capsys.readouterr().err == ""


def test_the_page_names_every_option_and_every_limit(page: str) -> None:
    """What the command has and the page does not is found by nobody."""
    (bench,) = (each for each in parser()._actions if each.choices and "bench" in each.choices)
    assert bench.choices is not None
    named = set(re.findall(r"--[a-z-]+", page))
    groups = dict(bench.choices)["bench"]._action_groups
    options = [
        action.option_strings[-1]
        for group in groups
        if group.title in ("load", "output", "inputs")
        for action in group._group_actions
    ]
    assert [option for option in options if option not in named] == []
    said = re.findall(r'"(?:Limited by|This|Not limited)', Path(diagnosis.__file__).read_text())
    assert len(said) >= 9
