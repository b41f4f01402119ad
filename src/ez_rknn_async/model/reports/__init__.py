# SPDX-License-Identifier: Apache-2.0
"""Public reports of boards that fail, or differ from the official simulator, with patterns that a file shows.

No simulator shows these, so a model can be right everywhere but on the board. Each report is one row of
:data:`.table.REPORTS`: evidence, with its source, and not a guess.
"""

from .matching import Sighting, sightings
from .report import BoardReport
from .table import REPORTS

__all__ = ["sightings", "Sighting", "BoardReport", "REPORTS"]
