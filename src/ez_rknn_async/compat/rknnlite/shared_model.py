# SPDX-License-Identifier: Apache-2.0
"""Models, once for all objects on one file: their content, and their weights.

The most copied pattern of the field makes an object for each core, all on one file. Each of them is a session of its
own; those after the first use its weights.
"""

from __future__ import annotations

import logging
import os
import threading
import weakref
from typing import TYPE_CHECKING, Any

from ..._contexts.model_source import ModelSource
from ..._options.soc import Soc, soc
from ...errors import RknnError
from ...session import InferenceSession

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...model import Preprocessing

logger = logging.getLogger("ez_rknn_async")

_Identity = tuple[int, int, int, int]

_lock = threading.Lock()  # guards what follows
_by_file: weakref.WeakValueDictionary[_Identity, SharedModel] = weakref.WeakValueDictionary()


class SharedModel:
    """The content of one model, with the sessions that run it; it lives as long as any object refers to it.

    Attributes:
        soc: that it was compiled for.
    """

    def __init__(self, path_or_bytes: Any) -> None:
        """Open a file, or take its content.

        Raises:
            RknnModelError, RknnTypeError: it cannot be opened; what is in it is not looked at.
        """
        self._source = ModelSource.of(path_or_bytes)
        self._opening = threading.Lock()  # or two objects would each load the weights
        self._sessions: list[weakref.ref[InferenceSession]] = []

    @classmethod
    def of_file(cls, path: str | os.PathLike[str]) -> SharedModel:
        """Return the model in a file: the same object as long as the file is the same.

        Raises:
            RknnModelError, RknnTypeError: it cannot be opened.
        """
        before = _identity(path)
        with _lock:
            known = _by_file.get(before) if before is not None else None
            if known is not None:
                return known
            model = cls(path)
            if before is not None and _identity(path) == before:
                _by_file[before] = model
            return model

    def __len__(self) -> int:
        with self._source.parsed() as model:
            return model.size

    @property
    def target_platform(self) -> str:
        """The SoC that it was compiled for, as the file has it.

        Raises:
            RknnModelError: the file is damaged.
        """
        with self._source.parsed() as model:
            return model.target_platform

    @property
    def normalisations(self) -> Sequence[Preprocessing | None]:
        """The file's normalisation of each input."""
        with self._source.parsed() as model:
            return model.graphs[0].preprocessing

    @property
    def soc(self) -> Soc:
        """That SoC; raises as :attr:`target_platform`, and if it is unknown."""
        return soc(self.target_platform.lower())

    def open(self, options: Mapping[str, Any]) -> InferenceSession:
        """Open a session that shares the weights of an open one, if the runtime allows it.

        Raises:
            RknnError: it cannot be opened.
        """
        with self._opening:
            session = self._open(options)
            self._sessions = [reference for reference in self._sessions if reference() is not None]
            self._sessions.append(weakref.ref(session))
        return session

    def _open(self, options: Mapping[str, Any]) -> InferenceSession:
        lender = self._lender()
        if lender is not None:
            try:
                return self._session(options, lender)
            except RknnError as error:
                logger.info("the weights are loaded once more: %s", error)
        return self._session(options, None)

    def _lender(self) -> InferenceSession | None:
        with self._source.parsed() as model:
            if model.dynamic:  # librknnrt 1.5.2 refuses to share, and keeps what it had allocated by then
                return None
        return next((session for reference in self._sessions if _is_open(session := reference())), None)

    def _session(self, options: Mapping[str, Any], lender: InferenceSession | None) -> InferenceSession:
        source: Any = self._source  # which a session shares, rather than to copy its bytes
        return InferenceSession(source, provider_options=options, use_weight_from=lender)


def _is_open(session: InferenceSession | None) -> bool:
    try:
        return session is not None and bool(session.health.workers)
    except RknnError:  # all of them are lost, or it is of the process that this one is a fork of
        return False


def _forget() -> None:
    """Start afresh in a forked child: sessions are the parent's, and another thread may have held the lock."""
    global _lock
    _lock = threading.Lock()
    _by_file.clear()


os.register_at_fork(after_in_child=_forget)


def _identity(path: str | os.PathLike[str]) -> _Identity | None:
    try:
        status = os.stat(path)
    except (OSError, TypeError, ValueError):
        return None  # opening it will say why
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
