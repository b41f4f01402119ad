# SPDX-License-Identifier: Apache-2.0
"""One public report, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .patterns import Pattern

    Version = tuple[int, ...]


@dataclass(frozen=True)
class BoardReport:
    """What somebody saw on a board.

    Attributes:
        pattern: whether a layer is of the kind that the report is about.
        what: that kind, in words.
        socs: where it was seen; RK3566 and RK3568 have the same NPU.
        versions: of toolkit or runtime, as the report has them.
        symptom: what happens there.
        advice: what helped, or was advised.
        source: where it can be read: ``owner/repository#number``, or ``owner/repository`` and a file.
        toolkits: the first and the last toolkit whose files are concerned; None: the report does not tie it to one.
        together: seen only where several cores work on one inference.
    """

    pattern: Pattern
    what: str
    socs: tuple[str, ...]
    versions: str
    symptom: str
    advice: str
    source: str
    toolkits: tuple[Version, Version] | None = None
    together: bool = False

    @property
    def places(self) -> str:
        """The SoCs and versions where it was seen."""
        return f"{'/'.join(soc.upper() for soc in self.socs)}, {self.versions}"
