# SPDX-License-Identifier: Apache-2.0
"""Reports of the figures: a table for the terminal, and the page in the documentation."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from rig import ROOT

from ez_rknn_async.cli.table import Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

DOCS = ROOT / "docs"
PAGE = DOCS / "performance.md"
_BEGIN, _END = "<!-- figures: written by make bench -->\n", "<!-- end of figures -->"


def table(figures: Sequence[Any]) -> str:
    """Format the figures for a terminal."""
    shown = Table(["case", "goal", "measured", "", "other library"])
    for figure in figures:
        shown.row(figure.case, figure.goal, figure.value, "" if figure.met else "missed", figure.peer)
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
        rows = [f"| {f.case} | {f.goal} | {f.value}{'' if f.met else ' **(missed)**'} | {f.peer} |" for f in figures]
        images = [f"![{title}](performance/{_file_name(title)}.svg)" for title in charts]
        parts = [f"| {part} | {microseconds:.1f} |" for part, microseconds in profile.items()]
        table_head = ["| case | goal | measured | the library it replaces |", "|---|---|---|---|"]
        profile_head = ["Where `run()` with tiny tensors spends its time:", "", "| part | µs |", "|---|---|"]
        text = "\n".join([*table_head, *rows, "", *images, "", *profile_head, *parts])
        page = PAGE.read_text(encoding="utf-8")
        before, rest = page.split(_BEGIN)
        PAGE.write_text(before + _BEGIN + "\n" + text + "\n\n" + _END + rest.split(_END)[1], encoding="utf-8")


def _file_name(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
