# SPDX-License-Identifier: Apache-2.0
"""The models of a folder: ``NAME.rknn``, or as Triton lays them out ``NAME/VERSION/model.rknn``.

Names come from listing the folder, and requests are looked up among them: nothing that a client sends becomes a path.
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..errors import RknnError, RknnValueError
from .refusal import INVALID, NOT_FOUND, UNAVAILABLE, RefusedError
from .served_model import ServedModel
from .settings import read_settings
from .statistics import ModelStatistics

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,127}", re.ASCII)
_VERSION = re.compile(r"[1-9][0-9]{0,8}")


@dataclass(frozen=True)
class ModelFile:
    """A model as it lies in the folder; of several versions the highest."""

    name: str
    version: str
    path: Path
    settings: Path


@dataclass
class Entry:
    """A model of the index: loaded, or with the reason why it is not."""

    file: ModelFile
    model: ServedModel | None = None
    reason: str = ""
    statistics: ModelStatistics = field(default_factory=ModelStatistics)

    @property
    def ready(self) -> bool:
        """True if it takes requests."""
        return self.model is not None and self.model.ready


class Repository:
    """The models that one server offers. Thread-safe.

    Args:
        folder: where they lie.
        options: provider options for all of them; those of a ``model.toml`` win.

    Raises:
        RknnValueError: the folder is none.
    """

    def __init__(self, folder: Path, options: dict[str, Any]) -> None:
        if not folder.is_dir():
            raise RknnValueError(f"{str(folder)!r} is not a folder; give the one that holds the .rknn files")
        self._folder = folder
        self._options = options
        self._entries: dict[str, Entry] = {}
        self._lock = threading.Lock()  # guards _entries
        self._loading = threading.Lock()  # held while a model is loaded or unloaded: one at a time

    def load_all(self) -> None:
        """Load every model; those that fail are unavailable, and say why."""
        for name in self._scan():
            with self._loading:
                self._load(name)

    def index(self) -> list[Entry]:
        """Return every model of the folder, loaded or not, by name."""
        files = self._scan()
        with self._lock:
            known = dict(self._entries)
        fresh = {name: Entry(file, reason="not loaded") for name, file in files.items() if name not in known}
        return [entry for _, entry in sorted({**known, **fresh}.items())]

    def find(self, name: str, version: str = "") -> ServedModel:
        """Return a loaded model.

        Raises:
            RefusedError: there is none of that name and version, or it is unavailable.
        """
        with self._lock:
            entry = self._entries.get(name)
        if entry is None:
            raise _unknown(name)
        if version and version != entry.file.version:
            raise RefusedError(
                NOT_FOUND, f"model {name!r} has no version {version[:20]!r}; its version is {entry.file.version}"
            )
        if entry.model is None:
            raise RefusedError(UNAVAILABLE, f"model {name!r} is unavailable: {entry.reason}")
        return entry.model

    def load(self, name: str) -> None:
        """Load a model, or load it again: what was admitted before is answered by the former.

        Raises:
            RefusedError: there is none of that name, or it fails to load; a former one then goes on serving.
        """
        with self._loading:
            if name not in self._scan():
                raise _unknown(name)
            entry = self._load(name)
            if entry.reason:
                raise RefusedError(INVALID, f"failed to load {name!r}: {entry.reason}")

    def unload(self, name: str) -> None:
        """Answer what a model was given, and give it back.

        Raises:
            RefusedError: there is none of that name.
        """
        with self._loading:
            with self._lock:
                entry = self._entries.get(name)
                if entry is None:
                    raise _unknown(name)
                model, entry.model, entry.reason = entry.model, None, "unloaded"
            if model is not None:
                model.close()

    def close(self, seconds: float) -> bool:
        """Give every model back; False if some request could not be answered in time."""
        with self._lock:
            models = [entry.model for entry in self._entries.values() if entry.model is not None]
        reason = "the server is stopping"
        for model in models:
            model.drain(0, reason)
        drained = [model.drain(seconds, reason) for model in models]
        for model in models:
            model.close(0, reason)
        return all(drained)

    def _load(self, name: str) -> Entry:
        file = self._scan().get(name)
        with self._lock:
            entry = self._entries.get(name)
            if file is None:
                raise _unknown(name)
            if entry is None:
                entry = self._entries[name] = Entry(file)
        try:
            model = ServedModel(
                name, file.version, str(file.path), read_settings(file.settings), self._options, entry.statistics
            )
        except (RknnError, OSError, ValueError, TypeError) as error:
            # The path is no client's business.
            reason = str(error).replace(str(file.path), file.path.name)
            with self._lock:
                entry.reason = reason
            return entry
        with self._lock:
            former, entry.model, entry.reason, entry.file = entry.model, model, "", file
        if former is not None:
            former.close()
        return entry

    def _scan(self) -> dict[str, ModelFile]:
        return {file.name: file for file in _files(self._folder)}


def _files(folder: Path) -> Iterator[ModelFile]:
    for path in sorted(folder.iterdir()):
        if path.suffix == ".rknn" and _NAME.fullmatch(path.stem) and path.is_file():
            yield ModelFile(path.stem, "1", path, folder / f"{path.stem}.toml")
        elif _NAME.fullmatch(path.name) and path.is_dir():
            versions = [int(p.parent.name) for p in path.glob("*/model.rknn") if _VERSION.fullmatch(p.parent.name)]
            if versions:
                version = str(max(versions))
                yield ModelFile(path.name, version, path / version / "model.rknn", path / "model.toml")


def _unknown(name: str) -> RefusedError:
    return RefusedError(NOT_FOUND, f"there is no model {name[:128]!r}")
