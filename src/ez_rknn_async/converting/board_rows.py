# SPDX-License-Identifier: Apache-2.0
"""Rows of the table of failures seen on boards that apply to a model, as findings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model.reports import sightings
from .finding import WARNING, Finding

if TYPE_CHECKING:
    from ..model import Model


def board_findings(model: Model) -> list[Finding]:
    """Return a finding for each row that applies."""
    return [
        Finding(
            WARNING,
            "board-report",
            f"{sighting.where}: reported to fail on boards, though not here: {sighting.report.symptom} "
            f"({sighting.report.source})",
            sighting.report.advice,
        )
        for sighting in sightings(model, together=False)
    ]
