# SPDX-License-Identifier: Apache-2.0
"""Errors for operators that the simulated NPU cannot execute.

* RknnModelError
  x UnsupportedOperatorError      .problems: every operator of the model that cannot be executed
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...errors import RknnModelError

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Problem:
    """One node that cannot be executed."""

    operator: str
    node: str
    reason: str


class UnsupportedOperatorError(RknnModelError):
    """A model has operators, or forms of operators, that are unknown to the simulated NPU.

    Attributes:
        problems: all of them, not only the first.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        lines = [f"{problem.operator} ({problem.node or 'unnamed'}): {problem.reason}" for problem in problems]
        operators = ", ".join(sorted({problem.operator for problem in problems}))
        super().__init__(
            f"the simulated NPU cannot execute {operators}: " + "; ".join(lines),
            hint="run the model on a board, leave these operators out of the network when compiling, "
            "or set compute=off among the simulated NPU's settings to work with schedules only",
        )
        self.problems = tuple(problems)
