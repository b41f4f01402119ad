# SPDX-License-Identifier: Apache-2.0
"""The path of one run() through the library: short enough to be read in one go."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

import ez_rknn_async

from .conftest import OpenSession, feed_of

MOST_CALLS, MOST_MODULES = 30, 9
PACKAGE = Path(ez_rknn_async.__file__).parent


def place(frame: FrameType) -> str:
    """Return the file of a call, relative to the package if it is inside."""
    path = Path(frame.f_code.co_filename)
    return str(path.relative_to(PACKAGE)) if PACKAGE in path.parents else str(path)


def test_one_run_makes_few_python_calls_in_few_modules(open_session: OpenSession) -> None:
    """A call costs a tenth of a microsecond on a laptop, half of one on a board, and the reader a step.

    All are counted, those in other packages too. ``pytest -s`` shows them.
    """
    session = open_session()
    feed = feed_of(session)
    session.run(None, feed)
    calls: list[tuple[str, str]] = []

    def record(frame: FrameType, event: str, _: Any) -> None:
        if event == "call":
            calls.append((place(frame), frame.f_code.co_name))

    sys.setprofile(record)
    try:
        session.run(None, feed)
    finally:
        sys.setprofile(None)
    for module, function in calls:
        print(f"{module}: {function}")
    modules = Counter(module for module, _ in calls)
    print(f"{len(calls)} calls in {len(modules)} modules")
    assert len(calls) <= MOST_CALLS
    assert len(modules) <= MOST_MODULES
