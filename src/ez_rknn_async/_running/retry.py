# SPDX-License-Identifier: Apache-2.0
"""Retries of calls that meet ``set_providers()`` or ``reset()``, which exchange a session's executor.

A call looks its session's executor up once, and uses that one throughout. If the executor is exchanged and closed
before the call gets through, nothing of it has run, and it is retried on the new one.
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
    """Retry a method of a session if the executor that it found was closed by an exchange.

    Also explains, for arguments that the method cannot be called with, how it is called.
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
    """Retry a function with the keyword ``session`` as a method of that session would be."""

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
    """Return a session's present executor; None for anything but a session."""
    executor: Executor | None = getattr(getattr(session, "_deployment", None), "executor", None)
    return executor
