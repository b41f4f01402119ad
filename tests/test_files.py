"""Every source file: short enough to be read."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("src", "native", "tests", "tools", "benchmarks", "examples", "cmake")
KINDS = (".py", ".cpp", ".h", ".c", ".sh", ".cmake")
GENERATED = ("declared.py",)
MOST_LINES = 400


def sources() -> list[Path]:
    """Return the files that people write."""
    files = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.suffix in KINDS]
    return [path for path in files if "_native" not in path.parts and path.name not in GENERATED]


def test_no_source_file_has_more_than_400_lines() -> None:
    """A longer one has more than one concern."""
    assert len(sources()) > 700
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in sources()}
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}
