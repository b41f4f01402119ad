"""The exceptions for tasks that failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import RknnClosedError, RknnDeviceError
from .runtime import status
from .runtime.engine import DISCARDED

if TYPE_CHECKING:
    from .errors import RknnError
    from .runtime.engine import Result


def failure(result: Result) -> RknnError:
    """The exception for a task that failed."""
    if result.call:
        return status.error(result.code, result.call, result.message)
    if result.code == DISCARDED:
        return discarded()
    return without_workers("of its cores", result.code)


def discarded() -> RknnClosedError:
    """That a task was thrown away by ``close(cancel=True)``."""
    return RknnClosedError("the session was closed with cancel=True before a worker took up the task")


def without_workers(of_which: str, code: int) -> RknnDeviceError:
    """That none is left to run anything; ``of_which`` says for whom."""
    return RknnDeviceError(
        f"every worker {of_which} hangs inside the runtime, and none could be started in its place",
        code=code,
        symbol=status.symbol(code),
        hint="call the session's reset() when the device answers again",
    )
