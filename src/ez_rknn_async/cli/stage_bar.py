# SPDX-License-Identifier: Apache-2.0
"""The stages of a conversion as a progress bar; nothing if the output is piped."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

_STAGES = ("configure", "load", "quantise", "build", "export", "simulate", "verify")
_WIDTH = 30


class StageBar:
    """Shows which stage a conversion has reached, on standard error."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._visible = sys.stderr.isatty()

    def stage(self, name: str) -> None:
        """Show that a stage has begun."""
        if self._visible:
            share = (_STAGES.index(name) if name in _STAGES else 0) / len(_STAGES)
            done = round(share * _WIDTH)
            sys.stderr.write(f"\r\033[K{self._label}  [{'#' * done}{'.' * (_WIDTH - done)}] {name}")
            sys.stderr.flush()

    def __enter__(self) -> StageBar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._visible:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()
