# SPDX-License-Identifier: Apache-2.0
"""The start of the device process, with a search path of its own.

As a script it runs in an isolated Python (:mod:`.._runtime.host_python`) and gets its folders from ``--site`` and
``--found``. The search path is then

1. the standard library;
2. the site directories of the program's Python;
3. other folders of the program's search path, limited to the modules that pip has installed there, which a ``RECORD``
   lists. A module that a user has put there is not visible.

The package itself is the one that contains this script, which the program has imported.

Nothing of the package may be imported before that, so this module imports only the standard library.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":  # this script's folder: only isolated Pythons leave it out by themselves
    sys.path[:] = [entry for entry in sys.path if entry != __file__.rpartition("/")[0]]

import argparse
import csv
import glob
import importlib.util
import os
import signal
import site
import socket
import struct
from importlib import machinery
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

COMPUTES_WITH = ("onnx", "onnxruntime")
INSTALL = "pip install 'ez-rknn-async[simulator]'"

_NAME = "ez_rknn_async"
_PACKAGE = Path(os.path.abspath(__file__)).parent.parent
_DEVICE_UNAVAILABLE = -3  # of the vendor's codes, as in .wire
_LOADERS: tuple[tuple[type, list[str]], ...] = (
    (machinery.ExtensionFileLoader, machinery.EXTENSION_SUFFIXES),
    (machinery.SourceFileLoader, machinery.SOURCE_SUFFIXES),
)


def missing(packages: Iterable[str] = COMPUTES_WITH) -> str:
    """Return the sentence that names those of these packages that are not installed; "" if all are."""
    absent = [name for name in packages if importlib.util.find_spec(name) is None]
    return f"it computes with {' and '.join(absent)}, which this Python does not have" if absent else ""


class InstalledFinder(machinery.FileFinder):
    """A finder of modules in a folder that is no site directory; it sees only those that an installer has put there."""

    def __init__(self, folder: str) -> None:
        super().__init__(folder, *_LOADERS)
        self._names: frozenset[str] | None = None

    def find_spec(
        self,
        fullname: str,
        target: object = None,
    ) -> machinery.ModuleSpec | None:
        """Find a module by its name, if an installer has put it there."""
        if self._names is None:
            self._names = frozenset(_installed_in(self.path))
        return super().find_spec(fullname) if fullname in self._names else None


def _installed_in(folder: str) -> Iterable[str]:
    for record in glob.glob(os.path.join(glob.escape(folder), "*.dist-info", "RECORD")):
        with open(record, encoding="utf-8", errors="surrogateescape", newline="") as lines:
            for line in csv.reader(lines):
                if line:
                    yield line[0].partition("/")[0].partition(".")[0]


def main() -> None:
    """Serve the host at the other end of the control socket until it closes."""
    parser = argparse.ArgumentParser(prog=f"python -m {_NAME}.simulator", description=__doc__)
    parser.add_argument("module", nargs="?", help="what is started, for lists of processes")
    parser.add_argument("--control-fd", type=int, required=True, help="descriptor of the control socket")
    parser.add_argument("--site", action="append", default=[], help="a site directory to use")
    parser.add_argument("--found", action="append", default=[], help="another folder; only what pip installed there")
    parser.add_argument("--own-sites", action="store_true", help="use the site directories of this Python")
    arguments = parser.parse_args()
    os.chdir("/")  # keeps no file system in use, and has no modules
    # Ctrl-C reaches the whole foreground group; the host decides when the device exits, by closing.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # While a model is lowered, the threads that run others get the interpreter back soon (seconds).
    sys.setswitchinterval(0.0005)
    # The host's standard output is not ours: redirect what libraries print.
    os.dup2(2, 1)
    control = socket.socket(fileno=arguments.control_fd)
    if __name__ == "__main__":
        _search(arguments.site or (_user_folders() if arguments.own_sites else ()), arguments.found)
    _serve(control)
    # Other threads may be inside ONNX Runtime; they have nothing to save, and nothing waits for them.
    os._exit(0)


def _search(sites: Sequence[str], found: Sequence[str]) -> None:
    """Set the search path."""
    standard = list(sys.path)
    for folder in sites:
        site.addsitedir(folder)
    sys.path[:] = dict.fromkeys((*standard, *sys.path))  # a .pth file may have put entries in front
    known = {os.path.realpath(entry) for entry in sys.path}
    for folder in (*found, str(_PACKAGE.parent)):
        if os.path.realpath(folder) not in known:
            sys.path.append(folder)
            sys.path_importer_cache[folder] = InstalledFinder(folder)


def _user_folders() -> list[str]:
    """Return the user's site directory, which isolated mode leaves out, if this Python uses it otherwise."""
    # A virtual environment has it only together with the packages of its base Python.
    has_it = sys.base_prefix in site.PREFIXES and not os.environ.get("PYTHONNOUSERSITE")
    folder = site.getusersitepackages()
    return [folder] if has_it and os.path.isdir(folder) else []


def _serve(control: socket.socket) -> None:
    """Serve the host, or send it the reason why that is impossible."""
    reason = missing(("numpy", "cffi", *COMPUTES_WITH))
    if reason:
        _refuse(control, f"{reason}; {INSTALL}")
    try:
        if __name__ == "__main__":
            _import_package()
        turn_off_telemetry()
        from ez_rknn_async.simulator.device import serve
    except Exception as error:  # a package that is installed but broken
        _refuse(control, f"importing what it computes with failed: {type(error).__name__}: {error}")
    serve(control)


def turn_off_telemetry() -> None:
    """Keep ONNX Runtime from sending telemetry.

    From 1.29 on that begins on import, with a database in the user's cache folder; only the variable prevents it.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    getattr(onnxruntime, "disable_telemetry_events", lambda: None)()


def _refuse(control: socket.socket, reason: str) -> None:
    """Send an error in place of the greeting, and exit."""
    control.send(struct.pack("<i", _DEVICE_UNAVAILABLE) + reason.encode("utf-8", "replace"))
    os._exit(1)


def _import_package() -> None:
    """Import the very package that contains this script, whatever else is installed under its name."""
    spec = importlib.util.spec_from_file_location(
        _NAME, _PACKAGE / "__init__.py", submodule_search_locations=[str(_PACKAGE)]
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[_NAME] = module
    spec.loader.exec_module(module)


if __name__ == "__main__":
    main()
