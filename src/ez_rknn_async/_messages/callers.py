# SPDX-License-Identifier: Apache-2.0
"""The user's line that a warning is about."""

from __future__ import annotations

import sys

_PACKAGE = __name__.partition(".")[0]


def user_stacklevel() -> int:
    """Return the ``stacklevel`` with which the caller of this warns about the user's line.

    That is the first frame outside the package, if there is one.
    """
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == _PACKAGE:
        level, frame = level + 1, frame.f_back
    return level
