# SPDX-License-Identifier: Apache-2.0
"""A runtime library, loaded.

:class:`Library` is the only place that calls ``librknnrt.so`` from Python. Every call goes through
:meth:`Library.call`, which turns a negative return code into the exception of :mod:`.status`.
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .._host import greenlets
from .._messages.wording import option
from ..errors import RknnError, RknnRuntimeNotFoundError, RknnValueError
from . import status
from .abi import ffi
from .host_python import host_python
from .native import native
from .shared_library import RTLD_NOW_GLOBAL, SharedLibrary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .host_python import HostPython

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

_loading = greenlets.lock()  # guards what follows
_loaded: dict[str, Library] = {}  # by path
_visible: list[Library] = []  # the one whose functions plug-ins find


class Library:
    """One loaded ``librknnrt.so``, the vendor's or any other.

    Attributes:
        path: the path that it was loaded from.
        simulated: True if it is the simulated NPU (it offers settings that no vendor library has).
    """

    def __init__(self, path: str) -> None:
        """Load the library at ``path`` and check that it is one.

        Raises:
            RknnRuntimeNotFoundError: it is missing, does not load, or lacks a function.
        """
        self.path = path
        try:
            # Kept for the life of the process: unloading a driver library under running threads is asking for trouble.
            self._library = SharedLibrary(path)
        except OSError as error:
            hint = None
            if os.sep not in path and os.path.exists(path):
                hint = f"a mere name is looked for among the system's libraries: write ./{path} for the file here"
            raise RknnRuntimeNotFoundError(str(error), tried=[(path, str(error))], hint=hint) from None
        missing = [name for name in REQUIRED if not self.has(name)]
        if missing:
            reason = f"it has no function {', '.join(missing)}: it is not an RKNPU2 runtime"
            raise RknnRuntimeNotFoundError(f"{path}: {reason}", tried=[(path, reason)])
        self.simulated = self.has("ez_rknn_simulator_configure")
        if self.has("ez_rknn_simulator_set_host_python"):
            self._describe_python(host_python())

    def __repr__(self) -> str:
        return f"<Library {self.path}>"

    def _describe_python(self, python: HostPython) -> None:
        """Tell a library that computes in a Python process how to start one."""
        words = [ffi.new("char[]", os.fsencode(word)) for word in python.command]
        command = ffi.new("char *[]", [*words, ffi.NULL]) if words else ffi.NULL
        self.function("ez_rknn_simulator_set_host_python")(command, os.fsencode(python.why_not))

    def has(self, function: str) -> bool:
        """Check if the library exports ``function``: newer versions have more than older ones."""
        return self._library.has(function)

    def make_visible(self) -> None:
        """Let plug-ins that are loaded from now on find this library's functions.

        Otherwise they would have to be linked to it by name, and so to the vendor's alone. Only one library of a
        process can be found that way.

        Raises:
            RknnValueError: another one is.
        """
        with _loading:
            if _visible and _visible[0] is not self:
                raise RknnValueError(
                    f"plug-ins of this process already use the functions of {_visible[0].path}; "
                    f"those for {self.path} need a process of their own"
                )
            if not _visible:
                # The same library once more: the loader only makes its symbols global.
                SharedLibrary(self.path, RTLD_NOW_GLOBAL)
                _visible.append(self)

    def function(self, name: str) -> Any:
        """Return the C function itself, for handing it to native code."""
        return getattr(self._library.functions, name)

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
        """Return the exception for a failed call, with the library's own explanation if it offers one."""
        return status.error(code, call, self.last_error())

    def last_error(self) -> str:
        """Return why the last call on this thread failed, in the library's own words; "" if it offers none."""
        if not self.has("ez_rknn_last_error"):
            return ""
        text: str = ffi.string(self.function("ez_rknn_last_error")()).decode("utf-8", "replace")
        return text

    def remark(self, context: int) -> str:
        """Return what the library has to say about how a context's model has done; "" if nothing."""
        if not self.has("ez_rknn_remark"):
            return ""
        text: str = ffi.string(self.function("ez_rknn_remark")(context)).decode("utf-8", "replace")
        return text

    @contextmanager
    def simulator_settings(self, settings: str | None) -> Iterator[None]:
        """Apply settings of the simulated NPU to the contexts that this thread creates inside the ``with`` block.

        Raises:
            RknnValueError: they are wrong, or this library is not the simulated NPU.
        """
        if settings is None:
            yield
            return
        if not self.simulated:
            raise RknnValueError(
                f"{option('simulator', settings)} is set, but the runtime library is {self.path}, which drives a real "
                f"NPU; leave it out, or set {option('runtime_library', 'simulator')}"
            )
        self._configure(settings)
        try:
            yield
        finally:
            self._configure("")

    def _configure(self, settings: str) -> None:
        if self.function("ez_rknn_simulator_configure")(settings.encode("utf-8", "backslashreplace")) < 0:
            raise RknnValueError(f"{option('simulator', settings)}: {self.last_error()}")


def load(path: str) -> Library:
    """Load the library at ``path``, once a process: weights are shared within one object only."""
    with _loading:
        if path not in _loaded:
            _loaded[path] = Library(path)
        return _loaded[path]
