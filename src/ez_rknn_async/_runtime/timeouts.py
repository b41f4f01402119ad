# SPDX-License-Identifier: Apache-2.0
"""Runtime calls that may never return: loading a model, and giving it back.

A thread cannot be killed, and a call into a driver cannot be interrupted. So such work is done on a thread of its own,
and the caller waits for it up to a time limit, or until a signal handler raises. Then the thread is left behind; if its
work is done after all, it undoes it itself.
"""

from __future__ import annotations

import logging
import threading
from typing import Callable, Generic, TypeVar

from .._host import greenlets
from .._messages.wording import option
from ..errors import RknnTimeoutError

logger = logging.getLogger("ez_rknn_async")

Result = TypeVar("Result")


def within(timeout_ms: int, what: str, work: Callable[[], Result], undo: Callable[[Result], object]) -> Result:
    """Do some work within a time limit, and return its result.

    Args:
        timeout_ms: the time limit; 0: none.
        what: a name for the work in messages, such as ``"loading the model"``.
        work: the work.
        undo: undoes a result that comes too late.

    Raises:
        RknnTimeoutError: it took too long.
        Exception: whatever the work raises; and on the main thread whatever a signal handler does.
    """
    if timeout_ms == 0 and not _needs_thread():
        return work()
    try:
        return _Job(what, work, undo).result(timeout_ms)
    except _NoThreadError:  # the interpreter is at its end
        return work()


class _NoThreadError(Exception):
    """No thread can be started any more."""


def _needs_thread() -> bool:
    """Check if the work needs a thread even without a limit: signals may end the wait, or other greenlets must run."""
    if greenlets.framework() is not None:
        return greenlets.in_main_thread()
    return threading.current_thread() is threading.main_thread()


class _Job(Generic[Result]):
    """Work on a thread of the system, and the wait for it."""

    _result: Result

    def __init__(self, what: str, work: Callable[[], Result], undo: Callable[[Result], object]) -> None:
        self._what, self._work, self._undo = what, work, undo
        self._error: BaseException | None = None
        self._lock = greenlets.lock()  # guards the two below
        self._is_done = False
        self._is_left = False
        self._framework = greenlets.framework()
        self._thread: threading.Thread | None = None
        self._done: threading.Event | greenlets.Signal
        if self._framework is None:
            # Daemon: when it is left behind, nothing waits for it.
            self._thread = threading.Thread(target=self._run, name="ez-rknn-job", daemon=True)
            self._done = threading.Event()
        else:
            self._done = greenlets.Signal(self._framework)

    def _run(self) -> None:
        try:
            self._result = self._work()
        except BaseException as error:
            self._error = error
        with self._lock:
            self._is_done, is_left = True, self._is_left
            if not is_left:
                self._done.set()
        if is_left:
            self._close()
            self._undo_late()

    def result(self, timeout_ms: int) -> Result:
        """Wait for the result; see :func:`within`."""
        try:
            self._begin()
            # Not join(): before Python 3.13 a thread counts as ended when a signal handler interrupts its join().
            if self._done.wait(timeout_ms / 1000 if timeout_ms else None) and self._thread is not None:
                self._thread.join()
        except BaseException:
            # Perhaps while it was being started, so that only the thread itself knows whether it runs.
            if not self._leave():
                self._close()
                self._undo_late()
            raise
        if self._leave():
            limit = option("load_timeout_ms")
            raise RknnTimeoutError(
                f"{self._what} took longer than {timeout_ms} ms ({limit}): the runtime does not return, and the "
                "thread that is inside it is left behind",
                hint=f"if the NPU works, raise {limit}; if not, the kernel log (dmesg) may say why",
            )
        self._close()
        error, self._error = self._error, None
        if error is None:
            return self._result
        try:
            raise error
        finally:
            del error  # or it and this frame would keep each other

    def _begin(self) -> None:
        try:
            if self._thread is not None:
                self._thread.start()
            else:
                assert self._framework is not None
                self._framework.thread.start_new_thread(self._run, ())
        except RuntimeError:
            raise _NoThreadError from None

    def _leave(self) -> bool:
        """Leave the thread behind, unless it is done; return True if it is left."""
        with self._lock:
            self._is_left = not self._is_done
            return self._is_left

    def _close(self) -> None:
        """Close the signal; call this only when the other side does not need it any more either."""
        if isinstance(self._done, greenlets.Signal):
            self._done.close()

    def _undo_late(self) -> None:
        if self._error is None:
            logger.warning("%s has ended after its caller gave up; it is undone", self._what)
            self._undo(self._result)
