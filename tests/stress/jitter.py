# SPDX-License-Identifier: Apache-2.0
"""Pauses inside the package, at random lines: the other threads come in just there.

A race of two Python threads needs one of them to be stopped between two particular lines, few of which take long. A
small switch interval makes that possible; this makes it likely.
"""

from __future__ import annotations

import random
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import ez_rknn_async

PACKAGE = str(Path(ez_rknn_async.__file__).parent)
PAUSE = 1e-4  # seconds; long enough for another thread to do the same


class Jitter:
    """A trace function for one thread."""

    def __init__(self, draw: random.Random, share: float) -> None:
        """Pause at ``share`` of the lines of the package."""
        self._draw = draw
        self._share = share

    def __call__(self, frame: FrameType, event: str, _: Any) -> Any:
        """Trace a function that is entered."""
        return self._line if frame.f_code.co_filename.startswith(PACKAGE) else None

    def _line(self, frame: FrameType, event: str, _: Any) -> Any:
        if event == "line" and self._draw.random() < self._share:
            time.sleep(PAUSE)
        return self._line


@contextmanager
def jittered(draw: random.Random, share: float) -> Iterator[None]:
    """Pause in all threads that are started in the block, those of the package included."""
    if share:
        seeds = random.Random(draw.random())

        def begin(frame: FrameType, event: str, argument: Any) -> Any:
            jitter = Jitter(random.Random(seeds.random()), share)
            sys.settrace(jitter)
            return jitter(frame, event, argument)

        threading.settrace(begin)
    try:
        yield
    finally:
        threading.settrace(None)
