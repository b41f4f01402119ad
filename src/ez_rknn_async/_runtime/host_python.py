# SPDX-License-Identifier: Apache-2.0
"""The command that starts this program's own Python for the device process, and the folders of its packages.

The simulated NPU computes in a Python process that must have the packages that the program has installed, and nothing
else: no module of the working directory, of the program's folder or of ``PYTHONPATH`` may be run there. So it is
started isolated and without site directories, and is told which folders to search instead (:mod:`..simulator.start`).

The interpreter is the one that runs this very program, ``/proc/self/exe``, if that is a Python interpreter.
``sys.executable`` is not used: in a frozen program it is the program, in an embedding one any ``python3`` on the path.
"""

from __future__ import annotations

import contextlib
import os
import re
import site
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(os.path.abspath(__file__)).parent.parent
MODULE = "ez_rknn_async.simulator"
# The same rule as in native/devices/simulated/interpreter.cpp.
_INTERPRETER = re.compile(r"(python|pypy|graalpy)[0-9.]*[dmtu]*(-dbg|-nogil|-c)?")
_NEEDED = ("numpy", "cffi", "onnx", "onnxruntime")


def _working_directory() -> str:
    try:
        return os.getcwd()
    except OSError:  # it was removed
        return "/"


_FOLDER = _working_directory()  # the base of relative entries of sys.path, even if the program changes it later


@dataclass(frozen=True)
class HostPython:
    """The command that starts the device process.

    Attributes:
        command: the interpreter and its arguments; empty if it cannot be started.
        why_not: the reason for that.
    """

    command: tuple[str, ...]
    why_not: str = ""


def host_python() -> HostPython:
    """Find the command for this program's Python, or the reason why there is none."""
    program = os.path.realpath("/proc/self/exe")
    why_not = _why_not(program)
    if why_not:
        return HostPython((), why_not)
    options = [*_options("--site", installed_folders()), *_options("--found", _found_folders())]
    return HostPython((program, *_flags(), str(PACKAGE / "simulator" / "start.py"), *options, MODULE))


def _why_not(program: str) -> str:
    """Return why ``program``, which runs this, cannot be started as a Python interpreter; "" if it can."""
    if getattr(sys, "frozen", False) or hasattr(sys, "oxidized") or "__compiled__" in globals():
        return f"this program, {program}, is frozen: it contains a Python interpreter and is none itself"
    if not _INTERPRETER.fullmatch(os.path.basename(program)):
        return f"this program, {program}, has a Python inside of it, and is no Python interpreter"
    return ""


def _flags() -> Iterator[str]:
    """Yield those of the program's flags that concern the device process too; not those for output and warnings."""
    if _home_is_used():
        # Isolated mode would ignore it, and find no standard library. The runtime library leaves out all other
        # variables of this kind, and start.py takes the script's folder off the path where there is no -P.
        yield "-s"
        if sys.version_info >= (3, 11):
            yield "-P"
    else:
        yield "-I"
    yield from ("-S", "-X", "utf8")
    if sys.dont_write_bytecode:
        yield "-B"
    if sys.pycache_prefix:
        yield from ("-X", f"pycache_prefix={os.path.join(_FOLDER, sys.pycache_prefix)}")


def _home_is_used() -> bool:
    home = os.environ.get("PYTHONHOME", "").partition(":")[0]
    return bool(home) and not sys.flags.ignore_environment and os.path.realpath(home) == os.path.realpath(sys.prefix)


def installed_folders() -> list[str]:
    """Return the site directories of this Python; the user's own only if this program has it."""
    if sys.flags.no_site:
        return []
    folders = list(getattr(site, "getsitepackages", list)())
    if site.ENABLE_USER_SITE:
        folders.append(site.getusersitepackages())
    return [folder for folder in folders if os.path.isdir(folder)]


def _found_folders() -> list[str]:
    """Return the other folders where the program finds modules; start.py only takes what was installed into them."""
    folders = [str(PACKAGE.parent)]
    for name in _NEEDED:  # the path to them may have been taken back
        with contextlib.suppress(AttributeError, IndexError, TypeError):
            folders.append(os.path.dirname(sys.modules[name].__path__[0]) if name in sys.modules else "")
    folders += [entry or "." for entry in sys.path if isinstance(entry, str)]
    paths = [os.path.normpath(os.path.join(_FOLDER, folder)) for folder in folders if folder]
    return [path for path in dict.fromkeys(paths) if os.path.isdir(path)]


def _options(name: str, values: list[str]) -> Iterator[str]:
    for value in values:
        yield f"{name}={value}"
