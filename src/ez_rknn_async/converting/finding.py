# SPDX-License-Identifier: Apache-2.0
"""One thing that was noticed about a model, its samples or its result, with what to do about it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ..errors import RknnError

if TYPE_CHECKING:
    from collections.abc import Sequence

ERROR, WARNING, NOTE = "error", "warning", "note"
_ORDER = (ERROR, WARNING, NOTE)


@dataclass(frozen=True)
class Finding:
    """One finding.

    Attributes:
        severity: "error": the result is unusable, or cannot be made; "warning": it may be; "note": good to know.
        code: a short name that does not change, for programs.
        message: what was found, and where.
        action: what to do.
        tensors: the tensors it is about.
    """

    severity: str
    code: str
    message: str
    action: str = ""
    tensors: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The finding as one line."""
        return f"{self.message}: {self.action}" if self.action else self.message

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {**asdict(self), "tensors": list(self.tensors)}


def by_severity(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Sort findings, the worst first; each once."""
    return tuple(sorted(dict.fromkeys(findings), key=lambda finding: _ORDER.index(finding.severity)))


def refuse(findings: Sequence[Finding]) -> None:
    """Raise for the findings that make a conversion impossible.

    Raises:
        ConversionError: there is one; it carries all of them.
    """
    errors = [finding for finding in findings if finding.severity == ERROR]
    if errors:
        raise ConversionError(errors[0].message, findings=by_severity(findings), hint=errors[0].action or None)


class ConversionError(RknnError):
    """A model cannot be converted.

    Attributes:
        findings: all that was found, the worst first.
    """

    def __init__(self, message: str, *, findings: Sequence[Finding] = (), hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.findings = tuple(findings)
