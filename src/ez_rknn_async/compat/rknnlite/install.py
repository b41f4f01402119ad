# SPDX-License-Identifier: Apache-2.0
"""The folder with importable ``rknnlite`` and ``rknn`` packages, and the metadata that programs ask for."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

# Not a package of this one: its content is copied into environments, or stands on sys.path as it is.
STAND_IN = Path(__file__).parent / "stand-in"
PACKAGES = ("rknnlite", "rknn")


def install_as_rknnlite() -> None:
    """Make ``import rknnlite`` and ``import rknn`` find this package, whatever is installed.

    For this process, and those that ``multiprocessing`` starts from it. The metadata of ``rknn-toolkit-lite2`` are
    found, too.
    """
    for name in [name for name in sys.modules if name.partition(".")[0] in PACKAGES]:
        del sys.modules[name]
    folder = str(STAND_IN)
    if folder in sys.path:
        sys.path.remove(folder)
    sys.path.insert(0, folder)
    importlib.invalidate_caches()
