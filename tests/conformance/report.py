# SPDX-License-Identifier: Apache-2.0
"""The page that shows how far the two libraries agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .case import Case
from .differences import DIFFERENCES, pattern_of
from .table import GROUPS


@dataclass(frozen=True)
class Outcome:
    """Both libraries' answers to one case."""

    case: Case
    vendor: object
    simulated: object

    @property
    def same(self) -> bool:
        """True if the answers are equal."""
        return self.vendor == self.simulated

    @property
    def is_fault(self) -> bool:
        """True if the answers differ and no pattern expects it."""
        return not self.same and pattern_of(self.case.id) is None


def score(outcomes: Sequence[Outcome]) -> str:
    """Summarise the outcomes in one line."""
    same, faults = sum(o.same for o in outcomes), sum(o.is_fault for o in outcomes)
    wanted = len(outcomes) - same - faults
    return f"{same} of {len(outcomes)} answers are the same, {wanted} differ on purpose, {faults} by fault"


def page(outcomes: Sequence[Outcome]) -> str:
    """Return the whole page as Markdown."""
    lines = [
        "# The simulated NPU beside the vendor's library",
        "",
        "<!-- Written by `make test-vendor`; do not edit. -->",
        "",
        "Rockchip's `librknnrt.so` 1.5.2 (emulated, on a faked driver) and the simulated NPU's are asked the same,",
        f"with the same models (`tests/conformance/`). **{score(outcomes)}.**",
        "",
        "| | what | asked | same | on purpose different |",
        "|---|---|---:|---:|---:|",
    ]
    for group, what in GROUPS.items():
        members = [o for o in outcomes if o.case.group == group]
        same, faults = sum(o.same for o in members), sum(o.is_fault for o in members)
        lines.append(f"| {group} | {what} | {len(members)} | {same} | {len(members) - same - faults} |")
    lines += ["", "## On purpose different", "", "| case | how many | why |", "|---|---:|---|"]
    for pattern, why in DIFFERENCES.items():
        number = len(matching(pattern, outcomes))
        lines.append(f"| {pattern.replace('*', chr(92) + '*')} | {number} | {why} |")
    return "\n".join(lines) + "\n"


def matching(pattern: str, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return the cases that differ as this pattern says."""
    return [o for o in outcomes if not o.same and pattern_of(o.case.id) == pattern]
