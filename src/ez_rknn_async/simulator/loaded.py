# SPDX-License-Identifier: Apache-2.0
"""A model that the device has loaded: its executable, and its file, from which models without weights borrow.

The file is not kept in memory: it stays open, and is mapped again when a borrower is loaded.
"""

from __future__ import annotations

import mmap
import os
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from ..model import load
from .executable import Executable
from .wire import RefusedError, ReplyStatus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..model import Model


class LoadedModel:
    """A model, loaded on construction.

    Args:
        descriptor: of the file; the caller's to close.
        master: the model whose weights replace those that the file leaves out.

    Raises:
        RefusedError: the file is empty, or the master's has changed.
        RknnModelError: it is damaged, or cannot be executed.
    """

    def __init__(self, descriptor: int, master: LoadedModel | None = None) -> None:
        self._version = _version(descriptor)
        if not self._version[0]:
            raise RefusedError(ReplyStatus.MODEL_INVALID, "the model file is empty")
        self._master = master
        self._file = os.fdopen(os.dup(descriptor), "rb", buffering=0)
        try:
            with self._opened() as model:
                self.executable = Executable(model)
            self.executable.open()  # now that the file is not in memory any more
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Release the file: no model can borrow from this one any more. The executable stays."""
        self._file.close()

    @contextmanager
    def _opened(self) -> Iterator[Model]:
        """Open the parsed file, with its weights, its own or the master's."""
        with ExitStack() as opened:
            model = opened.enter_context(load(self._map()))
            if self._master is not None:
                model = model.with_weights_from(opened.enter_context(self._master._opened()))
            yield model

    def _map(self) -> memoryview:
        if self._file.closed:
            raise RefusedError(ReplyStatus.CTX_INVALID, "the model whose weights are to be used is unloaded")
        if _version(self._file.fileno()) != self._version:
            raise RefusedError(
                ReplyStatus.MODEL_INVALID,
                "the file of the model whose weights are to be used has changed since it was loaded",
            )
        return memoryview(mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ))


def _version(descriptor: int) -> tuple[int, int]:
    """Return the file's size and modification time, which change when the file does."""
    status = os.fstat(descriptor)
    return status.st_size, status.st_mtime_ns
