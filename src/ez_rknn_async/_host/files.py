# SPDX-License-Identifier: Apache-2.0
"""Files that are written as a whole or not at all."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import RknnError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def published(path: Path) -> Iterator[Path]:
    """Return a name to write to; what was written has the path's name at the end, and is gone after an error.

    A former file stays until then. Devices and pipes are written to as they are.

    Raises:
        RknnError: the file cannot be written.
    """
    try:
        if path.exists() and not path.is_file():
            yield path
            return
        target = Path(os.path.realpath(path))  # through symbolic links, which stay
        # Not made of the file's name, which may be as long as names can be.
        temporary = target.with_name(f".ezrknn-{os.getpid()}-{threading.get_ident()}.part")
        try:
            yield temporary
            os.replace(temporary, target)
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink()
    except OSError as error:
        # numpy tells how much was written, and not why no more.
        words = error.strerror or f"{error}; is the disk full?"
        raise RknnError(f"{path} cannot be written: {words}") from error


def publish_text(text: str, path: Path) -> None:
    """Write a text in this way.

    Raises:
        RknnError: the file cannot be written.
    """
    with published(path) as made:
        made.write_text(text, encoding="utf-8")
