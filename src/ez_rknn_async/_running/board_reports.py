# SPDX-License-Identifier: Apache-2.0
"""A warning, where no board can show it, that a model is of a kind that failed on boards."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from .._host.paths import printable
from ..model.reports import sightings

if TYPE_CHECKING:
    from ..model import Model

logger = logging.getLogger("ez_rknn_async")

_said: dict[str, object] = {}  # each text once, however often a model is opened; setdefault lets one thread win


def warn_of_reports(name: str | None, model: Model, *, together: bool) -> None:
    """Log one line with the layers and the reports, if there are any.

    Args:
        name: the model's path; None if it was given as bytes.
        model: what the file says.
        together: several cores work on one inference.
    """
    seen = sightings(model, together=together)
    if not seen:
        return
    called = "the model" if name is None else f"the model {printable(name)!r}"
    reported = "; ".join(f"{sighting.where}: {sighting.report.source}" for sighting in seen)
    text = f"{called} has what was reported to fail on boards, though not here: {reported}"
    mine = object()
    if _said.setdefault(text, mine) is mine:
        logger.warning("%s. 'ezrknn doctor MODEL' says what was seen and what to do", text)
