# SPDX-License-Identifier: Apache-2.0
"""A progress bar on a terminal; nothing if the output is piped."""

from __future__ import annotations

import shutil
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

WIDTH = 30
REFRESH_SECONDS = 0.1


class ProgressBar:
    """Shows the progress of a command, on standard error, while its ``with`` block runs."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._visible = sys.stderr.isatty()
        self._shown = 0.0

    def update(self, share: float) -> None:
        """Show that ``share`` (0 to 1) is done."""
        now = time.monotonic()
        if self._visible and now >= self._shown + REFRESH_SECONDS:
            self._shown = now
            self._show(share, f"{share:4.0%}")

    def stage(self, name: str, stages: Sequence[str]) -> None:
        """Show that one of several stages has begun."""
        if self._visible:
            self._show((stages.index(name) if name in stages else 0) / len(stages), name)

    def _show(self, share: float, words: str) -> None:
        done = round(share * WIDTH)
        bar = f"  [{'#' * done}{'.' * (WIDTH - done)}] {words}"
        # A line that is longer than the terminal is wide would not be overwritten by the next.
        room = max(0, shutil.get_terminal_size().columns - len(bar) - 1)
        sys.stderr.write(f"\r\033[K{self._label[:room]}{bar}")
        sys.stderr.flush()

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._visible:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()
