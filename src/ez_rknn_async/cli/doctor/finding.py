# SPDX-License-Identifier: Apache-2.0
"""The finding of a check."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Verdict(str, Enum):
    """The verdict of a finding; a problem keeps models from running on the NPU."""

    OK = "OK"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes:
        subject: what was examined.
        status: the verdict.
        text: what was found.
        advice: what to do about it; "" if there is nothing to do.
    """

    subject: str
    status: Verdict
    text: str
    advice: str = ""


def ok(subject: str, text: str, advice: str = "") -> Finding:
    """Report that all is well."""
    return Finding(subject, Verdict.OK, text, advice)


def warning(subject: str, text: str, advice: str) -> Finding:
    """Report what works, but worse than it could."""
    return Finding(subject, Verdict.WARNING, text, advice)


def problem(subject: str, text: str, advice: str) -> Finding:
    """Report what keeps models from running on the NPU."""
    return Finding(subject, Verdict.PROBLEM, text, advice)
