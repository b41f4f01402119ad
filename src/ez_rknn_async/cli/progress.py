# SPDX-License-Identifier: Apache-2.0
"""A progress bar on a terminal; nothing if the output is piped."""

from __future__ import annotations

import shutil
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
        if not self._visible or now < self._shown + REFRESH_SECONDS:
            return
        self._shown = now
        done = round(share * WIDTH)
        bar = f"  [{'#' * done}{'.' * (WIDTH - done)}] {share:4.0%}"
        # A line that is longer than the terminal is wide would not be overwritten by the next.
        room = max(0, shutil.get_terminal_size().columns - len(bar) - 1)
        sys.stderr.write(f"\r{self._label[:room]}{bar}")
        sys.stderr.flush()

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._visible:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()
