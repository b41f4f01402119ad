# SPDX-License-Identifier: Apache-2.0
"""Paths as users give them: text that need not be UTF-8, since file names on Linux are bytes."""

from __future__ import annotations

import os
from typing import Any

from ..errors import RknnTypeError, RknnValueError


def checked_path(argument: str, given: Any) -> str:
    """Return the path given for an argument as text, with undecodable bytes as ``os.fsdecode()`` writes them.

    Args:
        argument: its name, for messages.
        given: text, or an object with ``__fspath__``.

    Raises:
        RknnTypeError: it is neither.
        RknnValueError: no file can have that name.
    """
    path = os.fspath(given) if isinstance(given, os.PathLike) else given
    if isinstance(path, bytes) and path is not given:
        path = os.fsdecode(path)  # of an os.PathLike
    if not isinstance(path, str):
        as_text = f"; give it as text, {os.fsdecode(path)!r}" if isinstance(path, bytes) else ""
        raise RknnTypeError(f"{argument} takes a path, not {given!r}{as_text}")
    if "\0" in path:
        raise RknnValueError(
            f"{argument}={path!r} has a NUL at character {path.index(chr(0))}, which no path can hold; cut it off, or "
            "give the path without it"
        )
    try:
        os.fsencode(path)
    except UnicodeEncodeError as error:
        raise RknnValueError(
            f"{argument}={path!r} cannot be a path here: {error}; use a UTF-8 locale (LC_ALL=C.UTF-8) or PYTHONUTF8=1"
        ) from None
    return path


def printable(text: str) -> str:
    """Return the text with what UTF-8 cannot hold, the undecodable bytes of a file's name, as ``\\udcxx``."""
    return text.encode("utf-8", "backslashreplace").decode()


def file_name(name: str) -> str:
    """Return the name, with what the file system's encoding does not have as ``\\uxxxx``."""
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return name.encode("ascii", "backslashreplace").decode()
    return name
