# SPDX-License-Identifier: Apache-2.0
"""``ezrknn completion``, asked by the shells themselves where they are installed."""

from __future__ import annotations

import builtins
import os
import pty
import select
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from .conftest import Ezrknn

# What is typed, and what the shell must offer.
ASKED = {
    "ezrknn be": ["bench"],
    "ezrknn bench --in": ["--in-flight", "--input"],
    "ezrknn bench --arrivals ": ["poisson", "fixed"],
    "ezrknn run --fit l": ["letterbox"],
    "ezrknn completion f": ["fish"],
    "ezrknn compat install r": ["rknnlite"],
    "ezrknn info some-": ["some-model.rknn"],
}
SHELLS = ["bash", "zsh", "fish"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a model."""
    (tmp_path / "some-model.rknn").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def in_bash(script: Path, typed: str) -> str:
    """Call the function that bash would, with the words that it would set."""
    words = " ".join(f"'{word}'" for word in typed.split(" "))
    program = f"""
        source {script}
        COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); COMP_LINE='{typed}'; COMP_POINT=${{#COMP_LINE}}
        function=$(complete -p ezrknn | sed 's/.*-F \\([^ ]*\\).*/\\1/')
        $function ezrknn "${{COMP_WORDS[COMP_CWORD]}}" "${{COMP_WORDS[COMP_CWORD - 1]}}"
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    return subprocess.run(["bash", "-c", program], check=True, stdout=subprocess.PIPE, text=True).stdout


def in_fish(script: Path, typed: str) -> str:
    """Ask fish, which has a command for it."""
    command = ["fish", "--no-config", "-c", f"source {script}; complete -C'{typed}'"]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def in_zsh(script: Path, typed: str) -> str:
    """Type into a zsh on a terminal, and press tab twice: it completes nowhere else."""
    script.rename(script.parent / "_ezrknn")
    child, terminal = pty.fork()
    if child == 0:
        os.execvpe("zsh", ["zsh", "-f", "-i"], {**os.environ, "TERM": "dumb", "COLUMNS": "200"})
    try:
        setup = f"fpath=({script.parent} $fpath); autoload -U compinit; compinit -u -D; echo REA''DY\n"
        os.write(terminal, setup.encode())
        read_until(terminal, "READY")
        os.write(terminal, f"{typed}\t\t".encode())
        return read_until(terminal, *(offer for offer in ASKED[typed]))
    finally:
        os.close(terminal)
        os.waitpid(child, 0)


def read_until(terminal: int, *texts: str) -> str:
    seen, end = b"", time.monotonic() + 30
    while not all(text.encode() in seen for text in texts) and time.monotonic() < end:
        if select.select([terminal], [], [], 1)[0]:
            seen += os.read(terminal, 65536)
    return seen.decode(errors="replace")


@pytest.mark.parametrize("typed", ASKED)
@pytest.mark.parametrize("shell", SHELLS)
def test_shells_complete_the_command(folder: Path, ezrknn: Ezrknn, shell: str, typed: str) -> None:
    """Commands, options, choices, files."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    script = folder / f"ezrknn.{shell}"
    script.write_text(ezrknn("completion", shell))
    offered = {"bash": in_bash, "zsh": in_zsh, "fish": in_fish}[shell](script, typed)
    for offer in ASKED[typed]:
        assert offer in offered, offered


@pytest.mark.parametrize("shell", SHELLS)
def test_every_command_and_option_is_in_the_script(ezrknn: Ezrknn, shell: str) -> None:
    """Made of the parsers, so that they cannot differ."""
    script = ezrknn("completion", shell)
    for word in ("info", "run", "bench", "export", "compare", "doctor", "simulator", "compat", "completion"):
        assert word in script
    for option in ("against", "threads-per-core", "expect", "svg"):
        assert option in script


def test_says_how_to_get_shtab(ezrknn_refuses: Ezrknn, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only this command needs it."""
    real = builtins.__import__

    def without(name: str, *arguments: Any) -> Any:
        if name == "shtab":
            raise ModuleNotFoundError("No module named 'shtab'", name="shtab")
        return real(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without)
    assert "pip install 'ez-rknn-async[completion]'" in ezrknn_refuses("completion", "bash")
