# SPDX-License-Identifier: Apache-2.0
"""Plug-ins with custom operators, built with the C compiler of this machine."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from ..conftest import ROOT

COMPILER = shutil.which("cc") or shutil.which("gcc")
EXAMPLES = ROOT / "examples" / "custom_operators"
SPOILED = ROOT / "tests" / "plugins" / "plugin.c"


def build(source: Path, target: Path, *options: str) -> Path:
    """Compile ``source`` to the shared library ``target``, which is linked to no runtime; skips without a compiler."""
    if COMPILER is None:
        pytest.skip("there is no C compiler on this machine")
    warnings = ["-std=c11", "-Wall", "-Wextra", "-Werror"]
    include = ["-I", str(ROOT / "native" / "include")]
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [COMPILER, *warnings, "-shared", "-fPIC", *options, str(source), *include, "-o", str(target)],
        check=True,
        timeout=60,
    )
    return target
