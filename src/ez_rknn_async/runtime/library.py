"""A runtime library, loaded.

:class:`Library` is the only place that calls ``librknnrt.so`` from Python. Every call goes through
:meth:`Library.call`, which turns a negative return code into the exception of :mod:`.status`.
"""

from __future__ import annotations

import functools
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..errors import RknnError, RknnRuntimeNotFoundError, RknnValueError
from . import status
from .abi import ffi
from .engine import native

if TYPE_CHECKING:
    from collections.abc import Iterator

# Without these nothing works; each has been in librknnrt.so since its first public version.
REQUIRED = (
    "rknn_init",
    "rknn_dup_context",
    "rknn_destroy",
    "rknn_query",
    "rknn_inputs_set",
    "rknn_set_core_mask",
    "rknn_run",
    "rknn_outputs_get",
    "rknn_outputs_release",
)

_visible: list[Library] = []  # the one whose functions plug-ins find


class Library:
    """One loaded ``librknnrt.so``, whoever made it.

    Attributes:
        path: what it was loaded from.
        simulated: whether it is the simulated NPU (it offers settings that no vendor library has).
    """

    def __init__(self, path: str) -> None:
        """Load the library at ``path`` and check that it is one.

        Raises:
            RknnRuntimeNotFoundError: it is missing, does not load, or lacks a function.
        """
        self.path = path
        try:
            # Kept for the life of the process: unloading a driver library under running threads is asking for trouble.
            self._lib = ffi.dlopen(path)
        except OSError as error:
            reason = str(error).partition(".  Additionally, ctypes")[0]  # how cffi looked for it once more, in vain
            raise RknnRuntimeNotFoundError(reason, tried=[(path, reason)]) from None
        missing = [name for name in REQUIRED if not self.has(name)]
        if missing:
            reason = f"it has no function {', '.join(missing)}: it is not an RKNPU2 runtime"
            raise RknnRuntimeNotFoundError(f"{path}: {reason}", tried=[(path, reason)])
        self.simulated = self.has("ez_rknn_simulator_configure")

    def __repr__(self) -> str:
        return f"<Library {self.path}>"

    def has(self, function: str) -> bool:
        """Whether the library exports ``function``: newer versions have more than older ones."""
        return hasattr(self._lib, function)

    def make_visible(self) -> None:
        """Let plug-ins that are loaded from now on find this library's functions.

        Otherwise they would have to be linked to it by name, and so to the vendor's alone. Only one library of a
        process can be found that way.

        Raises:
            RknnValueError: another one is.
        """
        if _visible and _visible[0] is not self:
            raise RknnValueError(
                f"plug-ins of this process already use the functions of {_visible[0].path}; "
                f"those for {self.path} need a process of their own"
            )
        if not _visible:
            # The same library once more: what is loaded already is only made global.
            self._visible = ffi.dlopen(self.path, ffi.RTLD_NOW | ffi.RTLD_GLOBAL)
            _visible.append(self)

    def function(self, name: str) -> Any:
        """The C function itself, for handing it to native code."""
        return getattr(self._lib, name)

    def call(self, name: str, *arguments: Any) -> None:
        """Call a function that returns a status.

        Raises:
            RknnError: of the kind that fits the status, with its code, symbol and call.
        """
        code = self.invoke(name, *arguments)
        if code < 0:
            raise self.error(code, name)

    def invoke(self, name: str, *arguments: Any) -> Any:
        """Call a function and return what it returns.

        Should it not come back on the main thread, where Python's own handler of Ctrl-C then never runs, the second
        Ctrl-C ends the process.
        """
        if threading.get_ident() != threading.main_thread().ident:
            return self.function(name)(*arguments)
        is_watched = native().ezr_watch_interrupts()
        try:
            return self.function(name)(*arguments)
        finally:
            if is_watched:
                native().ezr_unwatch_interrupts()

    def error(self, code: int, call: str) -> RknnError:
        """The exception for a failed call, with the library's own explanation where it offers one."""
        return status.error(code, call, self.last_error())

    def last_error(self) -> str:
        """Why the last call on this thread failed, in the library's own words; "" where it offers none."""
        if not self.has("ez_rknn_last_error"):
            return ""
        text: str = ffi.string(self.function("ez_rknn_last_error")()).decode("utf-8", "replace")
        return text

    @contextmanager
    def simulator_settings(self, settings: str | None) -> Iterator[None]:
        """Settings of the simulated NPU for the contexts that this thread creates inside the ``with`` block.

        Raises:
            RknnValueError: they are wrong, or this library is not the simulated NPU.
        """
        if settings is None:
            yield
            return
        if not self.simulated:
            raise RknnValueError(
                f"simulator={settings!r} is set, but the runtime library is {self.path}, which drives a real NPU; "
                "leave it out, or set runtime_library='simulator'"
            )
        self._configure(settings)
        try:
            yield
        finally:
            self._configure("")

    def _configure(self, settings: str) -> None:
        if self.function("ez_rknn_simulator_configure")(settings.encode()) < 0:
            raise RknnValueError(f"simulator={settings!r}: {self.last_error()}")


@functools.cache
def load(path: str) -> Library:
    """The library at ``path``, loaded once a process."""
    return Library(path)
