"""Calls that meet ``set_providers()`` or ``reset()``, which exchange what a session runs on.

A call takes its session's executor once, and uses that one throughout. When it comes too late, because the executor was
exchanged and closed meanwhile, nothing of it runs; it is simply retried on the new one.
"""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, Callable, TypeVar, cast

from .._messages.calls import is_of_the_call, wrong_call
from ..errors import RknnClosedError

if TYPE_CHECKING:
    from .executor import Executor

Method = TypeVar("Method", bound=Callable[..., Any])


def retried(method: Method) -> Method:
    """A method of a session that is retried when the executor that it found was closed by an exchange.

    Arguments that it cannot be called with are refused with how it is called.
    """

    @functools.wraps(method)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        while True:
            executor: Executor = self._deployment.executor
            try:
                return method(self, *args, **kwargs)
            except RknnClosedError:
                if executor is self._deployment.executor:
                    raise
            except TypeError as error:
                if is_of_the_call(error):
                    raise wrong_call(method, error) from None
                raise

    @functools.wraps(method)
    async def call_awaitable(self: Any, *args: Any, **kwargs: Any) -> Any:
        while True:
            executor: Executor = self._deployment.executor
            try:
                return await method(self, *args, **kwargs)
            except RknnClosedError:
                if executor is self._deployment.executor:
                    raise
            except TypeError as error:
                if is_of_the_call(error):
                    raise wrong_call(method, error) from None
                raise

    return cast("Method", call_awaitable if inspect.iscoroutinefunction(method) else call)


def retried_for_session(function: Method) -> Method:
    """A function with the keyword ``session``, which is retried as a method of that session would be."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        session = kwargs.get("session")
        while True:
            executor = executor_of(session)
            try:
                return function(*args, **kwargs)
            except RknnClosedError:
                if executor is executor_of(session):
                    raise

    return cast("Method", call)


def executor_of(session: Any) -> Executor | None:
    """What a session runs on at this moment; None of what is no session."""
    executor: Executor | None = getattr(getattr(session, "_deployment", None), "executor", None)
    return executor
