# SPDX-License-Identifier: Apache-2.0
"""Reports of the figures: a table for the terminal, and two pages of the documentation."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from rig import ROOT

from ez_rknn_async.cli.table import Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

DOCS = ROOT / "docs"
PAGE = DOCS / "performance.md"  # for users: the charts
DETAIL = DOCS / "explanation" / "cost-of-a-call.md"  # for developers: every figure
CALL = ", tiny, CPU"  # ends the names of the cases that are calls


def table(figures: Sequence[Any]) -> str:
    """Format the figures for a terminal."""
    shown = Table(["case", "goal", "measured", "", "other library", "meaning"])
    for figure in figures:
        missed = "" if figure.met else "missed"
        shown.row(figure.case, figure.goal, figure.value, missed, figure.peer, figure.meaning)
    return shown.render()


def publish(
    figures: Sequence[Any], charts: Mapping[str, str], profile: Mapping[str, float], folder: Path, *, into_docs: bool
) -> None:
    """Write the charts into a folder and, if asked to, charts, table and profile into ``docs/``."""
    for folder_of_charts in (folder, DOCS / "performance") if into_docs else (folder,):
        folder_of_charts.mkdir(parents=True, exist_ok=True)
        for title, chart in charts.items():
            (folder_of_charts / f"{_file_name(title)}.svg").write_text(chart, encoding="utf-8")
    if into_docs:
        rows = [
            f"| {f.case} | {f.meaning} | {f.goal} | {f.value}{'' if f.met else ' **(missed)**'} | {f.peer} |"
            for f in figures
        ]
        parts = [f"| {part} | {microseconds:.1f} |" for part, microseconds in profile.items()]
        table_head = ["| case | meaning | goal | measured | the library it replaces |", "|---|---|---|---|---|"]
        profile_head = ["Where `run()` with tiny tensors spends its time:", "", "| part | µs |", "|---|---|"]
        calls = [f"| {f.case} | {f.value} | {f.peer} |" for f in figures if f.case.endswith(CALL)]
        calls_head = ["| way to run | CPU time | the library it replaces |", "|---|---|---|"]
        _write(PAGE, [*calls_head, *(row.replace(CALL, "") for row in calls)], "calls")
        _write(PAGE, [f"![{title}](performance/{_file_name(title)}.svg)" for title in charts])
        _write(DETAIL, [*table_head, *rows, "", *profile_head, *parts])


def _write(page: Path, lines: Sequence[str], what: str = "figures") -> None:
    """Put lines between the marks of a page."""
    begin, end = f"<!-- {what}: written by make bench -->\n", f"<!-- end of {what} -->"
    before, rest = page.read_text(encoding="utf-8").split(begin)
    text = "\n".join(lines)
    page.write_text(f"{before}{begin}\n{text}\n\n{end}{rest.split(end)[1]}", encoding="utf-8")


def _file_name(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
