# SPDX-License-Identifier: Apache-2.0
"""Rows of the table of failures seen on boards that apply to a model, as findings."""

from __future__ import annotations

from importlib import import_module, util
from typing import TYPE_CHECKING, Any

from .finding import WARNING, Finding

if TYPE_CHECKING:
    from ..model import Model

_TABLE = "ez_rknn_async.model.reports"


def board_findings(model: Model) -> list[Finding]:
    """Return a finding for each row that applies; none where this version has no table."""
    if util.find_spec(_TABLE) is None:
        return []
    reports: Any = import_module(_TABLE)
    return [
        Finding(
            WARNING,
            "board-report",
            f"{sighting.where}: reported to fail on boards, though not here ({sighting.report.source})",
            "'ezrknn doctor MODEL' says what was seen and what to do",
        )
        for sighting in reports.sightings(model, together=False)
    ]
