# SPDX-License-Identifier: Apache-2.0
"""The user's callbacks: checked when they are given, reported when they raise.

A callback that cannot be called would fail after its inference, on a thread where no one looks. So it is checked, as
far as it can be, before anything is accepted. An exception that it raises all the same is reported like one in a thread
of the program's own: by ``threading.excepthook``, to stderr unless the program has set another hook. If the program has
given this package's logger, or one above it, a handler, it goes there instead.
"""

from __future__ import annotations

import functools
import inspect
import logging
import sys
import threading
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any

from .._messages.wording import shown
from ..errors import RknnTypeError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

logger = logging.getLogger("ez_rknn_async")

# The positional arguments of run_async()'s callbacks, and of run_with_iobinding_async()'s.
RESULTS = ("results", "user_data", "error")
VALUES = ("values", "user_data", "error")

_DOES_NOT_RUN = inspect.CO_COROUTINE | inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR | inspect.CO_ITERABLE_COROUTINE


def check_callback(callback: Any, arguments: Sequence[str], call: str, instead: str) -> None:
    """Refuse a callback that cannot be called with these positional arguments, or would not run when called.

    Callables without a signature, as many built-in ones are, are let through.

    Args:
        callback: what the user passed.
        arguments: the arguments' names, for the message.
        call: the usage of the method that takes it, for the message.
        instead: what a coroutine should do, for the message.

    Raises:
        RknnTypeError: it is refused.
    """
    if type(callback) is FunctionType and not vars(callback) and _is_plain(callback, len(arguments)):
        return  # the common case: every submission passes through here
    if not callable(callback):
        raise RknnTypeError(f"callback must be callable, not {shown(callback)}; it is called as {call}")
    kind = _kind_that_does_not_run(callback)
    if kind is not None:
        raise RknnTypeError(f"callback {_name(callback)} is {kind}, which does not run when it is called; {instead}")
    reason = _objection(callback, len(arguments))
    if reason is not None:
        raise RknnTypeError(
            f"callback {_name(callback)} cannot be called as callback({', '.join(arguments)}): {reason}; "
            f"give it {len(arguments)} positional parameter(s)"
        )


def report_exception(what: str = "a callback raised") -> None:
    """Report the exception that is being handled; raise none.

    ``SystemExit`` is passed on like any other: ``threading.excepthook`` ignores it, as it does in a thread.
    """
    if _is_logged():
        logger.exception("%s", what)
        return
    kind, error, traceback = sys.exc_info()
    assert kind is not None
    try:
        threading.excepthook(threading.ExceptHookArgs((kind, error, traceback, threading.current_thread())))
    except BaseException:
        sys.__excepthook__(*sys.exc_info())  # the hook's exception and, as its context, the callback's
    finally:
        del error, traceback  # or they and this frame would keep each other


def reporting(callback: Callable[[Any], object]) -> Callable[[Any], None]:
    """Return the same callback of one argument, whose exceptions are reported."""

    @functools.wraps(callback)
    def call(argument: Any) -> None:
        try:
            callback(argument)
        except BaseException:
            report_exception()

    return call


def _is_logged() -> bool:
    """Check if the program has given the logger, or one that it propagates to, a handler."""
    current: logging.Logger | None = logger
    while current is not None:
        if not all(isinstance(handler, logging.NullHandler) for handler in current.handlers):
            return True
        current = current.parent if current.propagate else None
    return False


def _kind_that_does_not_run(callback: Any) -> str | None:
    while isinstance(callback, functools.partial):
        callback = callback.func
    for function in (callback, type(callback).__call__):
        if inspect.iscoroutinefunction(function):
            return "a coroutine function"
        if inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function):
            return "a generator function"
    return None


def _objection(callback: Any, count: int) -> str | None:
    """Return why it cannot be called with ``count`` positional arguments; None if it can."""
    # inspect.signature() takes longer than the rest of a submission.
    function, given = (callback.__func__, count + 1) if isinstance(callback, MethodType) else (callback, count)
    if isinstance(function, FunctionType) and _takes(function, given):
        return None
    try:
        # The function that a decorator has wrapped is not the one that is called.
        signature = inspect.signature(callback, follow_wrapped=False)
    except (TypeError, ValueError):
        return None
    try:
        signature.bind(*[None] * count)
    except TypeError as error:
        return f"{error}, for its signature is {signature}"
    return None


def _is_plain(function: FunctionType, count: int) -> bool:
    """Check, quickly, if it takes exactly these positional arguments, and runs when it is called."""
    code = function.__code__
    return code.co_argcount == count and not code.co_kwonlyargcount and not code.co_flags & _DOES_NOT_RUN


def _takes(function: FunctionType, count: int) -> bool:
    code, most = function.__code__, function.__code__.co_argcount
    if code.co_kwonlyargcount > len(function.__kwdefaults__ or ()):
        return False
    has_rest = bool(code.co_flags & inspect.CO_VARARGS)
    return most - len(function.__defaults__ or ()) <= count and (count <= most or has_rest)


def _name(callback: Any) -> str:
    name = getattr(callback, "__qualname__", None)
    return f"{name}()" if isinstance(name, str) else repr(callback)
