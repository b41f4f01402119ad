# SPDX-License-Identifier: Apache-2.0
"""Environments with the vendor's compiler, rknn-toolkit2.

Its pins (an old numpy, protobuf, torch) would break ours, and it has no wheels for the newest Python. So each version
gets a virtual environment under the user's data directory, with a Python that the toolkit has wheels for.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import RknnError, RknnValueError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DEFAULT_VERSION = "2.5.0"
VARIABLE = "EZ_RKNN_TOOLKIT_PYTHON"
# The best tried first. There is no wheel for 3.13.
PYTHONS = ("3.11", "3.10", "3.12", "3.9", "3.8")
_MACHINES = ("x86_64", "aarch64")
_COMPLETE = "complete.json"  # written last: without it an installation was interrupted
# The toolkit imports pkg_resources, which newer setuptools no longer have.
_REQUIREMENTS = ("rknn-toolkit2=={version}", "setuptools<81")
_PROBE = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2], sys.executable)"
_PROBE_SECONDS = 20


@dataclass(frozen=True)
class Environment:
    """An environment that has, or should have, the toolkit.

    Attributes:
        python: its interpreter.
        version: of the toolkit; None for an interpreter that the user named.
    """

    python: Path
    version: str | None = None


def data_directory() -> Path:
    """Return the directory of all environments, under the user's data directory."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "ez-rknn-async" / "toolkit"


def installed() -> list[Environment]:
    """Return the complete installations, the newest toolkit first."""
    found = [
        Environment(mark.parent / "bin" / "python", mark.parent.name)
        for mark in data_directory().glob(f"*/{_COMPLETE}")
    ]
    return sorted(found, key=lambda environment: _order(environment.version or ""), reverse=True)


def _order(version: str) -> list[int]:
    return [int(part) if part.isdigit() else 0 for part in version.split(".")]


def find(python: str | os.PathLike[str] | None = None) -> Environment:
    """Return the environment to use: the one named here or in the environment variable, else the newest installed.

    Raises:
        RknnValueError: what was named is no program.
        RknnError: there is none.
    """
    named = python or os.environ.get(VARIABLE)
    if named:
        path = shutil.which(os.fspath(named))
        if path is None:
            raise RknnValueError(
                f"toolkit_python={os.fspath(named)!r} is not a program; give the path of a Python that has "
                "rknn-toolkit2"
            )
        return Environment(Path(path).absolute())
    for environment in installed():
        return environment
    raise RknnError(
        "the vendor's compiler, rknn-toolkit2, is not installed",
        hint="install it with 'ezrknn toolkit install', or name a Python that has it with --toolkit-python "
        f"(toolkit_python= in Python, {VARIABLE} in the environment)",
    )


def install(version: str = DEFAULT_VERSION, say: Callable[[str], None] = lambda text: None) -> Environment:
    """Install a version of the toolkit; return at once if it is there.

    Raises:
        RknnError: no suitable Python, or the installation failed; the message says where its log is.
    """
    if platform.system() != "Linux" or platform.machine() not in _MACHINES:
        raise RknnError(
            f"rknn-toolkit2 has no wheels for {platform.system()} on {platform.machine()}",
            hint="convert on Linux with x86-64 or aarch64",
        )
    if not version.replace(".", "").isalnum():
        raise RknnValueError(f"{version!r} is not a version of rknn-toolkit2; give one such as {DEFAULT_VERSION}")
    folder = data_directory() / version
    environment = Environment(folder / "bin" / "python", version)
    if (folder / _COMPLETE).exists():
        say(f"rknn-toolkit2 {version} is installed in {folder}")
        return environment
    python, number = suitable_python()
    say(
        f"Installing rknn-toolkit2 {version} for Python {number} in {folder}. It is large (some GB): this takes "
        "minutes."
    )
    log = folder.with_name(f"{version}.log")
    folder.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder, ignore_errors=True)  # what an interrupted installation left
    try:
        with log.open("w") as output:
            _run([str(python), "-m", "venv", str(folder)], output.fileno(), log)
            requirements = [requirement.format(version=version) for requirement in _REQUIREMENTS]
            _run(
                [str(environment.python), "-m", "pip", "--disable-pip-version-check", "install", *requirements],
                output.fileno(),
                log,
            )
            _run([str(environment.python), "-c", "from rknn.api import RKNN"], output.fileno(), log)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    (folder / _COMPLETE).write_text(json.dumps({"toolkit": version, "python": number}) + "\n")
    say(f"rknn-toolkit2 {version} is installed.")
    return environment


def _run(command: list[str], output: int, log: Path) -> None:
    # Settings of our own environment must not reach the other.
    variables = {
        name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    }
    process = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=variables, check=False
    )
    if process.returncode:
        raise RknnError(
            f"installing rknn-toolkit2 failed: {_last_error(log) or ' '.join(command)}", hint=f"its log is {log}"
        )


def _last_error(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines()]
    errors = [line for line in lines if line.lower().startswith("error")] or [line for line in lines if line][-1:]
    return errors[-1] if errors else ""


def suitable_python() -> tuple[Path, str]:
    """Return an interpreter that the toolkit has wheels for, and its version.

    Raises:
        RknnError: none can be found.
    """
    for number in PYTHONS:
        for candidate in _candidates(number):
            path = _probe(candidate, number)
            if path is not None:
                return path, number
    ours = "{}.{}".format(*sys.version_info)
    raise RknnError(
        f"rknn-toolkit2 has wheels for Python {PYTHONS[-1]} to 3.12, and none of them was found (this is {ours})",
        hint="install one with its venv module, such as: apt install python3.11 python3.11-venv (or: uv python install "
        "3.11), and have it on PATH",
    )


def _candidates(number: str) -> Iterator[str]:
    if sys.version_info[:2] == tuple(map(int, number.split("."))):
        yield getattr(sys, "_base_executable", sys.executable)
    name = f"python{number}"
    places = [*os.environ.get("PATH", "").split(os.pathsep), "/usr/bin", "/usr/local/bin"]
    yield from dict.fromkeys(
        path for place in places if place and os.access(path := os.path.join(place, name), os.X_OK)
    )
    pattern = f"{number}*/bin/python" if number != "3.1" else ""
    for root, glob in (
        (Path.home() / ".pyenv/versions", pattern),
        (Path.home() / ".local/share/uv/python", f"cpython-{pattern}"),
    ):
        yield from map(str, sorted(root.glob(glob)))


def _probe(python: str, number: str) -> Path | None:
    """Return the interpreter's own path if it is of that version and can make environments.

    A name on PATH proves little: version managers put a shim there for versions that are not there.
    """
    try:
        process = subprocess.run(
            [python, "-I", "-c", _PROBE], capture_output=True, text=True, timeout=_PROBE_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found, _, path = process.stdout.strip().partition(" ")
    return Path(path) if process.returncode == 0 and found == number else None
