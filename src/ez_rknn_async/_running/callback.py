# SPDX-License-Identifier: Apache-2.0
"""Delivery of results to the callbacks of ``run_async()`` and ``run_with_iobinding_async()``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Optional, TypeVar

if TYPE_CHECKING:
    from .._runtime.task import Result
    from .._transport.request import Request
    from .executor import Executor

Output = TypeVar("Output")
# Called with the outputs, or None; the user's data; and the error's text, or "".
Callback = Callable[[Optional["list[Output]"], Any, str], object]


def deliver_to(
    callback: Callback[Output],
    user_data: Any,
    executor: Executor,
    request: Request,
    outputs: Callable[[], list[Output]],
) -> None:
    """Queue a request, and call back once it has ended.

    The call is ``callback(outputs(), user_data, "")`` or, if it failed, ``callback(None, user_data, error)``.

    Raises:
        RknnTimeoutError, RknnClosedError: it was not accepted, and the callback will not be called.
    """

    def receive(_: Request, result: Result) -> None:
        if result.code < 0:
            callback(None, user_data, str(executor.failure(result)))
        else:
            callback(outputs(), user_data, "")

    try:
        executor.submit(request, receive)
    except BaseException:
        request.ended(None)
        raise
