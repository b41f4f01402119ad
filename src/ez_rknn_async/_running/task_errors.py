# SPDX-License-Identifier: Apache-2.0
"""The exceptions for failed tasks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .._messages.wording import in_python, option, provider_option
from .._runtime import status
from .._runtime.engine import DISCARDED, RUN_TIMEOUT
from ..errors import RknnClosedError, RknnDeviceError, RknnTimeoutError

if TYPE_CHECKING:
    from .._runtime.task import Result
    from ..errors import RknnError


@dataclass(frozen=True)
class Failures:
    """The function that makes the exceptions for failed tasks of one executor.

    Attributes:
        run_timeout_ms: the session's limit; 0 for none.
        missing_operators: the custom operators of the model that no plug-in brings.
    """

    run_timeout_ms: int = 0
    missing_operators: tuple[str, ...] = ()

    def __call__(self, result: Result) -> RknnError:
        """Return the exception for a failed task."""
        if result.call:
            return self._explained(result)
        if result.code == DISCARDED:
            return discarded()
        return without_workers("of its cores", result.code)

    def _explained(self, result: Result) -> RknnError:
        """Explain a failure of the runtime or a timeout of the watchdog, in terms of the session's options."""
        if result.code == RUN_TIMEOUT and self._ran_too_long(result):
            return _timed_out(self.run_timeout_ms, result)
        missing = [name for name in self.missing_operators if name in result.message]
        if missing:
            return _without_operators(missing, result)
        return status.error(result.code, result.call, result.message)

    def _ran_too_long(self, result: Result) -> bool:
        # The driver has a time limit of its own, with the same code.
        return 0 < self.run_timeout_ms * 1_000_000 <= result.finished_ns - result.started_ns


def _timed_out(run_timeout_ms: int, result: Result) -> RknnError:
    return RknnTimeoutError(
        f"the inference took longer than {option('run_timeout_ms', run_timeout_ms)} allows, and was given up: "
        f"{result.call} did not return ({status.symbol(result.code)} ({result.code})), and its worker is set aside and "
        "replaced",
        code=result.code,
        symbol=status.symbol(result.code),
        call=result.call,
        hint=f"raise {option('run_timeout_ms')} if the model needs more time; if the NPU hangs, "
        + in_python("session.health shows it, session.reset() loads the model again, and ")
        + "the kernel log (dmesg) may say why",
    )


def _without_operators(missing: list[str], result: Result) -> RknnError:
    return RknnDeviceError(
        f"the model has custom operators that are not registered with this context: {', '.join(missing)}",
        code=result.code,
        symbol=status.symbol(result.code),
        call=result.call,
        hint=f"no plug-in brings them: give its path with {provider_option('custom_op_path')}",
    )


def discarded() -> RknnClosedError:
    """Return the error for a task that ``close(cancel=True)`` has discarded."""
    return RknnClosedError("the session was closed with cancel=True before a worker took up the task")


def without_workers(of_which: str, code: int) -> RknnDeviceError:
    """Return the error for having no worker left; ``of_which`` completes "every worker ..."."""
    return RknnDeviceError(
        f"every worker {of_which} hangs inside the runtime, and none could be started in its place",
        code=code,
        symbol=status.symbol(code),
        hint="the log says why; call the session's reset() when the device answers again",
    )
