"""One question that both libraries are asked."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .subject import Subject


@dataclass(frozen=True)
class Case:
    """``act`` returns what is compared, as JSON has it: codes, numbers, texts, digests of bytes."""

    group: str
    name: str
    act: Callable[[Subject], Any]

    @property
    def id(self) -> str:
        """Its name in the table of differences."""
        return f"{self.group}: {self.name}"


def digest(content: bytes) -> str:
    """Bytes, short enough to be shown."""
    return hashlib.sha256(content).hexdigest()[:16]
