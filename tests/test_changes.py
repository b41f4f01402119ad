# SPDX-License-Identifier: Apache-2.0
"""The files in ``changes/``: towncrier finds each of them, as it silently skips others."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import ROOT

NAME = re.compile(r"\+[a-z0-9]+(-[a-z0-9]+)*\.(added|changed|fixed|removed)\.md")
CHANGES = ROOT / "changes"


def faults(change: Path) -> list[str]:
    """Say what is wrong with a file; see ``changes/README.md``."""
    content = change.read_text()
    found = {
        "its name is not +words-with-hyphens.KIND.md": not NAME.fullmatch(change.name),
        "it is empty": not content.strip(),
        "it has no full stop at its end": not content.endswith(".\n"),
        "it has headings, lists or blank lines": re.search(r"(^|\n)([#\n]|[-*] )", content) is not None,
        "it is longer than 600 characters": len(content) > 600,
    }
    return [fault for fault, is_there in found.items() if is_there]


def test_every_change_is_well_formed() -> None:
    """A malformed one is lost, or spoils the list that it stands in."""
    assert {path.name: faults(path) for path in CHANGES.iterdir() if path.name != "README.md" and faults(path)} == {}


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("19.fixed.md", "Mended.\n", "its name"),
        ("+a.bugfix.md", "Mended.\n", "its name"),
        ("+a.fixed.txt", "Mended.\n", "its name"),
        ("+a.fixed.md", "\n", "it is empty"),
        ("+a.fixed.md", "Mended\n", "full stop"),
        ("+a.fixed.md", "- Mended.\n", "lists"),
        ("+a.fixed.md", "Mended.\n\nMore.\n", "blank lines"),
        ("+a.fixed.md", "Mended. " * 100 + "Yes.\n", "longer"),
    ],
)
def test_finds_a_fault(tmp_path: Path, name: str, content: str, fault: str) -> None:
    """A check that never fails would be worthless."""
    change = tmp_path / name
    change.write_text(content)
    assert any(fault in each for each in faults(change))


def test_the_changelog_has_the_place_for_new_versions() -> None:
    """Towncrier puts a version in front of everything if the place is missing."""
    assert (ROOT / "CHANGELOG.md").read_text().count("\n<!-- towncrier release notes start -->\n") == 1


def test_the_changelog_takes_every_change() -> None:
    """``make changelog`` shows the result."""
    pytest.importorskip("towncrier", reason="towncrier comes with make lint")
    command = [sys.executable, "-m", "towncrier", "build", "--draft", "--version", "next"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout
    changes = [path.read_text() for path in CHANGES.glob("+*.md")]
    assert [change for change in changes if change.split("\n")[0] not in shown] == []
