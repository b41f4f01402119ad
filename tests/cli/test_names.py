# SPDX-License-Identifier: Apache-2.0
"""Names that standard output cannot show, and file names that are not text: no command fails over them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ez_rknn_async._runtime.locate import SIMULATOR_LIBRARY

NAME = "输入ab"  # as long in UTF-8 as the name that it replaces
C_LOCALE = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
ENVIRONMENTS = {
    "C": {"LC_ALL": "C"},
    "really C": C_LOCALE,
    "ASCII": {"PYTHONIOENCODING": "ascii"},
    "strict UTF-8": {"LC_ALL": "C.UTF-8", "PYTHONIOENCODING": "utf-8:strict"},
}


@pytest.fixture
def model(data: Path, tmp_path: Path) -> str:
    """A model with a Chinese input, under a name in Latin-1."""
    content = (data / "vector_fp16.rknn").read_bytes()
    assert b"features" in content
    path = os.path.join(os.fsencode(tmp_path), b"mod\xe8le.rknn")
    with open(path, "wb") as file:
        file.write(content.replace(b"features", NAME.encode()))
    np.save(tmp_path / "x.npy", np.ones((1, 20), np.float32))
    return os.fsdecode(path)


def ezrknn(environment: dict[str, str], folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-c", "import sys; from ez_rknn_async.cli import main; sys.exit(main())", *arguments]
    return subprocess.run(
        [os.fsencode(word) for word in command],
        env={**os.environ, **environment},
        cwd=folder,
        capture_output=True,
        timeout=110,
        check=False,
    )


@pytest.mark.parametrize("environment", list(ENVIRONMENTS.values()), ids=list(ENVIRONMENTS))
def test_prints_any_name(environment: dict[str, str], model: str, tmp_path: Path) -> None:
    """Characters that the encoding lacks are escaped, as Python does on standard error."""
    shown = succeeding(environment, tmp_path, "info", model)
    assert NAME in shown or "\\u8f93\\u5165ab" in shown


def test_every_command_prints_any_name(model: str, tmp_path: Path) -> None:
    """Neither the locale nor Python's own modes help here."""
    for command in (
        ["info", model, "--json"],
        ["run", model, "--input", "x.npy", "--simulator", "compute=off"],
        ["bench", model, "--seconds", "0.02"],
        ["doctor", model],
        ["export", model],
        ["compare", model, "--layers", "--svg", "errors.svg"],
    ):
        succeeding(C_LOCALE, tmp_path, *command)
    assert b"\\udce8" in (tmp_path / "errors.svg").read_bytes()


def succeeding(environment: dict[str, str], folder: Path, *arguments: str) -> str:
    """Run a command that must succeed, and return what it prints."""
    done = ezrknn(environment, folder, *arguments)
    assert done.returncode == 0, (arguments, done.stderr)
    assert b"Error" not in done.stderr, (arguments, done.stderr)
    return done.stdout.decode()


def test_errors_name_any_file_in_one_line(tmp_path: Path) -> None:
    """The file may be missing, damaged, a library or a plug-in."""
    missing = os.fsdecode(os.fsencode(tmp_path) + b"/fehlt-\xe4.rknn")
    damaged = os.fsdecode(os.fsencode(tmp_path) + b"/damaged-\xe4.rknn")
    Path(damaged).write_bytes(b"RKNN" + bytes(100))
    for command in (
        ["info", missing],
        ["run", damaged],
        ["bench", missing, "--runtime-library", missing],
        ["run", missing, "--custom-op", missing],
        ["doctor", damaged],
    ):
        done = ezrknn(C_LOCALE, tmp_path, *command)
        assert done.returncode == 1, command
        assert b"\\udce4.rknn" in done.stderr + done.stdout or b"\\xe4" in done.stderr, (command, done.stderr)
        assert done.stderr.count(b"\n") <= 1


def test_prints_the_librarys_path_for_a_shell(tmp_path: Path) -> None:
    """The path is printed byte for byte."""
    printed = ezrknn(C_LOCALE, tmp_path, "simulator", "--library").stdout
    assert printed == os.fsencode(SIMULATOR_LIBRARY) + b"\n"
