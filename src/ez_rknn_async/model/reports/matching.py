# SPDX-License-Identifier: Apache-2.0
"""Which reports concern a model, and by which of its layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..format.target import target_of
from .patterns import Network
from .table import REPORTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..format.file import Model
    from ..format.graph import Node
    from .report import BoardReport

_SHOWN = 3  # layers that a text names


@dataclass(frozen=True)
class Sighting:
    """A report and the layers of a model that it is about."""

    report: BoardReport
    layers: tuple[Node, ...]

    @property
    def where(self) -> str:
        """The layers, by name; of many, the first ones."""
        named = ", ".join(repr(node.name) for node in self.layers[:_SHOWN])
        more = len(self.layers) - _SHOWN
        layers = "layer" if len(self.layers) == 1 else "layers"
        return f"{layers} {named}" + (f" and {more} more" if more > 0 else "")

    @property
    def text(self) -> str:
        """What was seen, where and by whom."""
        report = self.report
        return f"{self.where}: {report.what}. Seen on {report.places}: {report.symptom} ({report.source})"


def sightings(model: Model, *, together: bool = False, reports: Sequence[BoardReport] = REPORTS) -> list[Sighting]:
    """Return the reports that concern a model, in the order of the table.

    Args:
        model: the model.
        together: several cores will work on one inference.
        reports: the table.
    """
    target = target_of(model.target_platform)
    network = Network(model.graphs[0])
    found = []
    for report in reports:
        if target not in map(target_of, report.socs) or (report.together and not together):
            continue
        if report.toolkits is not None and not _is_within(model.toolkit_version, report.toolkits):
            continue
        layers = tuple(node for node in network.graph.nodes if report.pattern(network, node))
        if layers:
            found.append(Sighting(report, layers))
    return found


def _is_within(version: Sequence[int], limits: tuple[Sequence[int], Sequence[int]]) -> bool:
    """Compare as many numbers as each limit has: 2.3 contains 2.3.2."""
    first, last = limits
    return tuple(version[: len(first)]) >= tuple(first) and tuple(version[: len(last)]) <= tuple(last)
