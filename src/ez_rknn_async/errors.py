# SPDX-License-Identifier: Apache-2.0
"""Exceptions.

* RknnError (RuntimeError)            .code .symbol .call .hint
  x RknnRuntimeNotFoundError          no runtime library could be loaded; .tried
  x RknnModelError                    the file is damaged, or not for this runtime or SoC; .offset
  x RknnTimeoutError (TimeoutError)   a run or a submission took too long
  x RknnDeviceError                   the NPU or its driver failed
  x RknnClosedError                   the session is closed
  x RknnInUseError                    an inference under way uses this value or binding
  x RknnValueError (ValueError)       a wrong argument, found before anything reaches the NPU
  x RknnTypeError (TypeError)         an argument of the wrong type, likewise

Every room of the package may import this module; it imports nothing of ours.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class RknnError(RuntimeError):
    """The root of every exception that this package raises on purpose.

    Attributes:
        code: the runtime's return code (negative), or None when no runtime call was involved.
        symbol: the code's name, such as ``"RKNN_ERR_TIMEOUT"``, or None.
        call: the runtime function that returned it, such as ``"rknn_init"``, or None.
        hint: what to do about it, or None; it is also the end of the message.
    """

    def __init__(
        self,
        message: str,
        *,
        code: int | None = None,
        symbol: str | None = None,
        call: str | None = None,
        hint: str | None = None,
    ) -> None:
        text = f"{message}; {hint}" if hint else message
        # File names may hold bytes that are not valid text, with which the message could not be printed.
        super().__init__(text.encode("utf-8", "backslashreplace").decode())
        self.code = code
        self.symbol = symbol
        self.call = call
        self.hint = hint


class RknnRuntimeNotFoundError(RknnError):
    """No NPU runtime library could be loaded.

    Attributes:
        tried: each path that was tried, with what was wrong with it.
    """

    def __init__(self, message: str, *, tried: Sequence[tuple[str, str]] = (), hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.tried = tuple(tried)


class RknnModelError(RknnError):
    """The model file is damaged, or not for this runtime or SoC.

    Attributes:
        offset: the offset of the fault in the file, in bytes, or None if it is not at one place.
    """

    def __init__(
        self,
        message: str,
        *,
        offset: int | None = None,
        code: int | None = None,
        symbol: str | None = None,
        call: str | None = None,
        hint: str | None = None,
    ) -> None:
        where = f" (at byte {offset})" if offset is not None else ""
        super().__init__(message + where, code=code, symbol=symbol, call=call, hint=hint)
        self.offset = offset


class RknnTimeoutError(RknnError, TimeoutError):
    """A run or a submission took too long."""


class RknnDeviceError(RknnError):
    """The NPU or its driver failed."""


class RknnClosedError(RknnError):
    """The session is closed."""


class RknnInUseError(RknnError):
    """An inference under way uses this value or binding; nothing was touched."""


class RknnValueError(RknnError, ValueError):
    """An argument has a wrong value; nothing reached the NPU."""


class RknnTypeError(RknnError, TypeError):
    """An argument has a wrong type; nothing reached the NPU."""


@contextmanager
def naming(file: str | None) -> Iterator[None]:
    """Prefix a :class:`RknnModelError` raised inside with the file's name, unless its text has the name.

    ``file`` is None for a model that has no file.
    """
    try:
        yield
    except RknnModelError as error:
        if file is not None and repr(file) not in str(error):
            error.args = (f"{file!r}: {error}",)
        raise
