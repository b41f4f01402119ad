# SPDX-License-Identifier: Apache-2.0
"""Files in memory that nothing can change, through this descriptor or any other."""

from __future__ import annotations

import fcntl
import os
import tempfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# From <linux/fcntl.h>; not every Python's fcntl module has them.
_ADD_SEALS = 1033
_SEALS = 0x1 | 0x2 | 0x4 | 0x8  # F_SEAL_SEAL, _SHRINK, _GROW, _WRITE
_LOWEST_DESCRIPTOR = 3


def sealed(fill: Callable[[int], None]) -> int:
    """Return a descriptor of sealed memory that ``fill(descriptor)`` has written; the caller closes it.

    Raises:
        OSError: there is no such memory, or not enough.
    """
    memory, is_sealable = _memory()
    try:
        fill(memory)
        if is_sealable:
            fcntl.fcntl(memory, _ADD_SEALS, _SEALS)
    except BaseException:
        os.close(memory)
        raise
    return memory


def fill_from_file(source: int, size: int, memory: int) -> None:
    """Copy ``size`` bytes of an open file, or as many as there are."""
    done = 0
    while done < size:
        sent = os.sendfile(memory, source, done, size - done)
        if not sent:
            return
        done += sent


def fill_from_bytes(content: memoryview, memory: int) -> None:
    """Copy ``content``."""
    with open(memory, "wb", closefd=False) as file:
        file.write(content)


def above_standard_streams(descriptor: int) -> int:
    """Move a descriptor above 2: a program without standard streams may open those later, over whatever is there.

    The given descriptor is closed if it is moved.
    """
    if descriptor >= _LOWEST_DESCRIPTOR:
        return descriptor
    try:
        return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _LOWEST_DESCRIPTOR)
    finally:
        os.close(descriptor)


def _memory() -> tuple[int, bool]:
    """Open an empty file without a name; the flag is True if it can be sealed."""
    try:
        memory = os.memfd_create("ez_rknn_model", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    except (AttributeError, OSError):  # a Python built for a glibc older than 2.27; a sandbox
        # It has no name any more: only this process, and processes that may trace it, can reach it.
        with tempfile.TemporaryFile(prefix="ez_rknn_model") as file:
            return fcntl.fcntl(file.fileno(), fcntl.F_DUPFD_CLOEXEC, _LOWEST_DESCRIPTOR), False
    return above_standard_streams(memory), True
