# SPDX-License-Identifier: Apache-2.0
"""The page on compatibility names the programs that are run, and no others."""

from __future__ import annotations

import re

from ..conftest import ROOT
from .clients import CLIENTS, PROGRAMS

PAGE = (ROOT / "docs/reference/compatibility.md").read_text()
(SECTION,) = re.findall(r"^## Programs that are run\n(.*?)^## ", PAGE, re.MULTILINE | re.DOTALL)
ROWS = dict(re.findall(r"^\| `([^`]+)` \| [^|]+ \| ([^|]*)\|$", SECTION, re.MULTILINE))


def test_the_page_names_the_programs_and_their_versions() -> None:
    """As they are installed."""
    tests = "".join(path.read_text() for path in PROGRAMS.parent.glob("*.py"))
    assert {client.requirements[0] for client in CLIENTS} - set(ROWS) == set()
    assert [requirement for requirement in ROWS if f'"{requirement}"' not in tests] == []


def test_the_page_says_what_stays_on_the_cpu() -> None:
    """Of each program that has such a network."""
    assert {name for name, kept in ROWS.items() if kept.strip()} == {
        client.requirements[0] for client in CLIENTS if client.on_cpu
    }
