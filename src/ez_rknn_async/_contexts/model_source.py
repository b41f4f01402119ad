# SPDX-License-Identifier: Apache-2.0
"""The model that a session was given, as it was when the session was made.

A session opens contexts more than once: for a second lane, to replace one that hangs, in ``reset()``, for a table of
layers. By then the path may lead nowhere, or to another model. So the file is opened once, and whatever opens it later
gets the name of that open file, ``/proc/self/fd/N``, which is a path for a runtime library as well.

An open file can still be overwritten in place. Up to :data:`LARGEST_COPY` bytes the content is therefore copied into
memory that nothing can change. That would cost a board too much for larger files: these are watched instead, and one
that was overwritten is refused.
"""

from __future__ import annotations

import contextlib
import functools
import mmap
import os
import weakref
from typing import TYPE_CHECKING, Any, NamedTuple, Union

from .._host.paths import checked_path
from .._messages.wording import shown
from .._runtime.context import Context
from .._runtime.holders import Holders
from ..errors import RknnClosedError, RknnError, RknnModelError, RknnTypeError, naming
from ..model import load
from ..model.format.author_metadata import metadata_beside
from ..model.format.container import COPY_AGAIN
from ..model.format.file import open_file
from .sealed_memory import above_standard_streams, fill_from_bytes, fill_from_file, sealed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from .._runtime.library import Library
    from ..model import Model

PathOrBytes = Union[str, "os.PathLike[str]", bytes, bytearray, memoryview]

LARGEST_COPY = 64 << 20
OPEN_FILES = "/proc/self/fd"

_LONGEST_PATH = 4096  # PATH_MAX
_REPLACE_BY_RENAMING = (
    "open a new session, and replace model files by renaming: write the new one beside the old, then os.replace() or mv"
)

# What a runtime library is given: a path, or the content.
Content = Union[str, memoryview]


class _Version(NamedTuple):
    """The identity of an open file and of its content.

    Not the time of the inode's last change: deleting or renaming a file changes that.
    """

    device: int
    inode: int
    size: int
    written_ns: int


class ModelSource:
    """An open model file, shared by everything that may need it again.

    Counts its holders: the first is the caller that made it, :meth:`hold` adds one, and the last one to let go closes
    the file. Thread-safe.

    Attributes:
        name: the path as it was given, for messages; None for a model that was given as bytes.
        metadata: the original model's, from files beside it when it was opened.
    """

    def __init__(self, descriptor: int, name: str | None = None, *, is_copy: bool) -> None:
        """Use :meth:`of`. Takes over the descriptor; ``is_copy``: nothing can change its content."""
        self.name = name
        self.metadata = {} if name is None else metadata_beside(name)
        self._descriptor = descriptor
        self._is_copy = is_copy
        self._version = _version(descriptor)
        # Even if it is never let go, as in a forked child. Not at exit: threads that are left behind may need it.
        self._close = weakref.finalize(self, _close, descriptor, self._version)
        self._close.atexit = False
        self._holders = Holders()

    @classmethod
    def of(cls, path_or_bytes: Any) -> ModelSource:
        """Open a file, or take its content; a source is held once more and returned.

        Raises:
            RknnModelError: the file cannot be opened, is not a file, or was changed meanwhile.
            RknnTypeError, RknnValueError: it is neither a path nor a file's bytes.
        """
        if isinstance(path_or_bytes, cls):
            path_or_bytes.hold()
            return path_or_bytes
        if isinstance(path_or_bytes, (bytes, bytearray, memoryview)):
            return cls(_kept(_view(path_or_bytes)), is_copy=True)
        if not isinstance(path_or_bytes, (str, os.PathLike)):
            raise RknnTypeError(f"path_or_bytes takes a path or the file's bytes, not {shown(path_or_bytes)}")
        path = checked_path("path_or_bytes", path_or_bytes)
        descriptor, is_copy = _opened(path)
        return cls(descriptor, path, is_copy=is_copy)

    def __str__(self) -> str:
        return f"{self._version.size} bytes" if self.name is None else repr(self.name)

    def hold(self) -> None:
        """Keep it open until :meth:`let_go`.

        Raises:
            RknnClosedError: it is closed.
        """
        if not self._holders.add():
            raise RknnClosedError("the session is closed")

    def let_go(self) -> None:
        """Let go of it: once for each :meth:`hold`, and once for having made it."""
        if self._holders.remove():
            self._close()

    def __enter__(self) -> ModelSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.let_go()

    @contextlib.contextmanager
    def content(self, *, by_path: bool = True) -> Iterator[Content]:
        """Yield what to give ``rknn_init`` inside the ``with`` block: a path, or the content if no path leads here.

        With ``by_path=False`` it is the content in any case.

        Raises:
            RknnModelError: the file was changed, before or inside.
            RknnClosedError: it is closed.
        """
        with self._held(), self._unchanged(), naming(self.name):
            path = f"{OPEN_FILES}/{self._descriptor}"
            # There is no path without /proc, nor to a file that this process may no longer open.
            yield path if by_path and _leads_to(path, self._version) else memoryview(self._map())

    def open_context(self, library: Library, flags: int = 0, *, weights_of: Context | None = None) -> Context:
        """Open a context; see :meth:`.Context.open` and :meth:`content`."""
        with contextlib.ExitStack() as undo:
            # librknnrt 1.5.2 reads a file that it is given by its path into NPU memory as a whole, even if the weights
            # are another context's; of the content it then takes what is no weight.
            with self.content(by_path=weights_of is None) as model:
                context = Context.open(library, model, flags, weights_of=weights_of)
                undo.callback(context.destroy)
            undo.pop_all()
        return context

    @contextlib.contextmanager
    def parsed(self) -> Iterator[Model]:
        """Parse the file; its data can be read inside the ``with`` block.

        Raises:
            RknnModelError: it is damaged, or was changed.
            RknnClosedError: it is closed.
        """
        with self._held(), naming(self.name), contextlib.ExitStack() as undo:
            with self._unchanged():
                mapping = self._map()
                undo.callback(_unmap, mapping)
                model = undo.enter_context(load(memoryview(mapping)))
            yield model

    @contextlib.contextmanager
    def _held(self) -> Iterator[None]:
        self.hold()
        try:
            yield
        finally:
            self.let_go()

    @contextlib.contextmanager
    def _unchanged(self) -> Iterator[None]:
        self._check()
        try:
            yield
        except RknnError:
            self._check()  # a change would be the reason
            raise
        self._check()

    def _check(self) -> None:
        present = _version(self._descriptor)
        if not _is_same_file(present, self._version):
            raise RknnModelError(
                f"{_called(self.name)} was opened as file descriptor {self._descriptor}, which the program has closed "
                "or replaced since",
                hint="close only descriptors that the program itself has opened",
            )
        # A copy's time may change: even a refused attempt to write sets it.
        if present != self._version and not self._is_copy:
            raise RknnModelError(
                f"{_called(self.name)} was overwritten in place since the session has opened it",
                hint=_REPLACE_BY_RENAMING,
            )

    def _map(self) -> mmap.mmap:
        # Private: what is sealed cannot be mapped as shared before Linux 6.7, not even to be read.
        return mmap.mmap(self._descriptor, 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ)


def _called(name: str | None) -> str:
    return "the model" if name is None else f"the model file {name!r}"


def _version(descriptor: int) -> _Version:
    try:
        status = os.fstat(descriptor)
    except OSError:  # the program has closed a descriptor that is not its own
        return _Version(-1, -1, -1, -1)
    return _Version(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def _is_same_file(one: _Version, other: _Version) -> bool:
    return one[:2] == other[:2]


def _close(descriptor: int, version: _Version) -> None:
    if _is_same_file(_version(descriptor), version):  # otherwise the number is another file's by now
        os.close(descriptor)


def _unmap(mapping: mmap.mmap) -> None:
    with contextlib.suppress(BufferError):  # an error's traceback may still look into it
        mapping.close()


def _leads_to(path: str, version: _Version) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        return _is_same_file(_version(descriptor), version)
    finally:
        os.close(descriptor)


def _opened(path: str) -> tuple[int, bool]:
    """Open the file, or a copy of it that nothing can change; the flag is True for a copy."""
    descriptor = above_standard_streams(open_file(path))
    version = _version(descriptor)
    if version.size > LARGEST_COPY:
        return descriptor, False
    try:
        copy = sealed(functools.partial(fill_from_file, descriptor, version.size))
    except OSError:  # no memory, or a file system without sendfile(): the file itself is watched
        return descriptor, False
    is_whole = _version(descriptor) == version
    os.close(descriptor)
    if not is_whole:
        os.close(copy)
        raise RknnModelError(f"{_called(path)} was written to while it was read", hint="open it once it is complete")
    return copy, True


def _kept(content: memoryview) -> int:
    """Return a descriptor of memory with these bytes."""
    if not content:
        raise RknnModelError("the model is empty: path_or_bytes has 0 bytes", offset=0, hint=COPY_AGAIN)
    _refuse_path(content)
    try:
        return sealed(functools.partial(fill_from_bytes, content))
    except OSError as error:
        raise RknnModelError(f"the model cannot be kept in memory: {error.strerror}") from error


def _view(content: Any) -> memoryview:
    view = memoryview(content)
    return view.cast("B") if view.c_contiguous and view.nbytes else memoryview(bytes(view))


def _refuse_path(content: memoryview) -> None:
    """Refuse a path that was given as bytes, which are taken as a model's content."""
    if content.nbytes > _LONGEST_PATH:
        return
    given = bytes(content)
    if given.startswith(b"RKNN") or any(byte < 0x20 for byte in given):
        return
    path = os.fsdecode(given)
    if "/" in path or path.lower().endswith(".rknn") or os.path.exists(path):
        raise RknnModelError(
            f"path_or_bytes={given!r} looks like a path, but bytes are taken as a model's content",
            hint=f"give a path as text: {path!r}",
        )
