"""What a check has found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Verdict(str, Enum):
    """How good it is; a problem is what keeps models from running on the NPU."""

    OK = "OK"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes:
        subject: what was looked at.
        status: how it is.
        text: what was found.
        advice: what to do about it; "" where there is nothing to do.
    """

    subject: str
    status: Verdict
    text: str
    advice: str = ""


def ok(subject: str, text: str, advice: str = "") -> Finding:
    """All is well."""
    return Finding(subject, Verdict.OK, text, advice)


def warning(subject: str, text: str, advice: str) -> Finding:
    """It works, but worse than it could."""
    return Finding(subject, Verdict.WARNING, text, advice)


def problem(subject: str, text: str, advice: str) -> Finding:
    """Models cannot run on the NPU."""
    return Finding(subject, Verdict.PROBLEM, text, advice)
