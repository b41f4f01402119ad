# SPDX-License-Identifier: Apache-2.0
"""Environments for programs from PyPI, with this package in them, and what runs there."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import venv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..conftest import ROOT

BUILD = ROOT / "build" / "clients"
WHEELS = ROOT / "build" / "wheel"
PATIENCE = 900.0  # seconds for an installation, a compilation or a program, on a busy machine
# Without a GPU pip may be told where builds of it for the CPU are: PIP_FIND_LINKS, PIP_EXTRA_INDEX_URL.
TORCH = "torch==2.13.0"


@dataclass(frozen=True)
class Ended:
    """A process that has ended."""

    stdout: str
    stderr: str


def run(*command: str | Path, environment: Mapping[str, str] | None = None, cwd: Path = BUILD) -> Ended:
    """Run a program to its end.

    Raises:
        AssertionError: it failed; the message has the end of what it wrote.
    """
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, "EZ_RKNN_RUNTIME_LIBRARY": "simulator", **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, f"{command} ended with status {done.returncode}\n{done.stdout}{done.stderr}"[-4000:]
    return Ended(done.stdout, done.stderr)


def python_with(name: str, *requirements: str) -> Path:
    """Return the interpreter of an environment that has the requirements and this package."""
    folder = BUILD / "environments" / name
    python = folder / "bin" / "python"
    wheel = _wheel()
    if _differs(folder / "requirements", "\n".join(requirements)):
        venv.create(folder, clear=True, symlinks=True)
        _install(python, *requirements, wheel)
        _note(folder / "requirements", "\n".join(requirements))
        _note(folder / "wheel", _digest(wheel))
    if _differs(folder / "wheel", _digest(wheel)):
        _install(python, "--force-reinstall", "--no-deps", wheel)
        _note(folder / "wheel", _digest(wheel))
    return python


def _install(python: Path, *arguments: str | Path) -> None:
    """By the pip of this environment: to put one into each takes longer than most packages."""
    pip = (sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check")
    run(*pip, "install", "--quiet", "--no-compile", *arguments)


def _wheel() -> Path:
    (wheel,) = WHEELS.glob("*.whl")
    return wheel


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _differs(note: Path, content: str) -> bool:
    return not note.exists() or note.read_text() != content


def _note(note: Path, content: str) -> None:
    note.write_text(content)
