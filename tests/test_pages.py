# SPDX-License-Identifier: Apache-2.0
"""The pages for developers of this project only name what exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .conftest import ROOT

PAGES = [
    *ROOT.glob("*.md"),
    *(page for folder in ("changes", "docs", "examples") for page in (ROOT / folder).rglob("*.md")),
]
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
PATH = re.compile(r"`((?:[\w.*-]+/)*[\w.*-]+(?:/|\.(?:py|cpp|h|md|toml)))`")  # of a folder or a file
COMMAND = re.compile(r"(?:^|[`;&] ?|run: )make ([a-z]+(?:-[a-z]+)*)", re.MULTILINE)
WORKING = [ROOT / "CONTRIBUTING.md", ROOT / "docs/explanation/architecture.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_has_a_target(page: Path) -> None:
    """Targets are within the repository."""
    links = [link for link in LINK.findall(page.read_text()) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", WORKING, ids=lambda page: page.stem)
def test_every_path_exists(page: Path) -> None:
    """A recipe that names a moved file is worse than none."""
    paths = PATH.findall(page.read_text())
    assert len(paths) > 20
    roots = (ROOT, ROOT / "src/ez_rknn_async")
    assert [path for path in paths if not any(found for root in roots for found in root.glob(path.rstrip("/")))] == []


@pytest.mark.parametrize("pattern", ["CONTRIBUTING.md", ".ci/run", ".github/workflows/*.yml"])
def test_every_make_target_exists(pattern: str) -> None:
    """Recipes name commands too."""
    named = {name for page in ROOT.glob(pattern) for name in COMMAND.findall(page.read_text())}
    assert named
    assert named - set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)) == set()


def test_the_tower_is_drawn_as_it_is_built() -> None:
    """The order is that of import-linter's contract; the package itself has no layer there."""
    (layers,) = re.findall(
        r'name = "A room uses.*?layers = \[(.*?)\]', (ROOT / "pyproject.toml").read_text(), re.DOTALL
    )
    built = re.findall(r'^    "(\w+)"', layers, re.MULTILINE)
    page = (ROOT / "docs/explanation/architecture.md").read_text()
    drawn = re.findall(r"^  │ (\w+) ", page, re.MULTILINE)
    assert [room for room in drawn if room != "__init__"] == built
