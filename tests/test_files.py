# SPDX-License-Identifier: Apache-2.0
"""Every source file: short enough to be read, and under the project's licence."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("src", "native", "tests", "tools", "benchmarks", "examples", "cmake")
KINDS = (".py", ".cpp", ".h", ".c", ".sh", ".cmake")
GENERATED = ("declared.py",)
MOST_LINES = 400
LICENCE = "SPDX-License-Identifier: Apache-2.0"


def sources() -> list[Path]:
    """Return the files that people write."""
    files = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.suffix in KINDS]
    return [path for path in files if "_native" not in path.parts and path.name not in GENERATED]


def test_no_source_file_has_more_than_400_lines() -> None:
    """A longer one has more than one concern."""
    assert len(sources()) > 700
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in sources()}
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}


def test_each_source_file_names_the_licence() -> None:
    """In its first lines, so that a file that is copied alone still says it."""
    silent = [str(p.relative_to(ROOT)) for p in sources() if LICENCE not in "".join(p.read_text().splitlines()[:3])]
    assert silent == []
