# SPDX-License-Identifier: Apache-2.0
"""The writer of the table in ``docs/reference/board-reports.md``: ``make reports``.

The rows are those of ``ez_rknn_async.model.reports``; a test checks that the page is up to date.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from ez_rknn_async.model.reports import REPORTS

if TYPE_CHECKING:
    from ez_rknn_async.model.reports import BoardReport

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "board-reports.md"
_TABLE = re.compile(r"(?<=<!-- table -->\n).*?(?=<!-- /table -->)", re.DOTALL)
_HEADING = "| in the file | seen on | what happens | what to do | who saw it |\n|---|---|---|---|---|\n"


def page() -> str:
    """Return the page with today's table."""
    table = _HEADING + "".join(map(_row, REPORTS))
    return _TABLE.sub(lambda match: table, PAGE.read_text(encoding="utf-8"))


def _row(report: BoardReport) -> str:
    cells = (report.what, report.places, report.symptom, report.advice, report.source)
    return f"| {' | '.join(cells)} |\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
