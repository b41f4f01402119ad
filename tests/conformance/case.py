# SPDX-License-Identifier: Apache-2.0
"""One question for both libraries."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .subject import Subject


@dataclass(frozen=True)
class Case:
    """A question: ``act`` returns the answer to compare as JSON has it: codes, numbers, texts, digests of bytes."""

    group: str
    name: str
    act: Callable[[Subject], Any]

    @property
    def id(self) -> str:
        """The case's name in the table of differences."""
        return f"{self.group}: {self.name}"


def digest(content: bytes) -> str:
    """Return a short digest of bytes, to be shown."""
    return hashlib.sha256(content).hexdigest()[:16]
