# SPDX-License-Identifier: Apache-2.0
"""One inference awaited by a coroutine: without a thread, without polling, and cancellable."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from .._tensors.inputs import owned
from .._tensors.outputs import AS_THE_SESSION, select, selected
from ..errors import RknnTimeoutError
from .inference import Inference
from .mailbox import mailbox_of
from .retry import retried

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Coroutine, Iterable, Sequence

    import numpy.typing as npt

    from .._tensors.outputs import Choice
    from .._transport.request import Request
    from .async_stream import AsyncStream
    from .executor import Executor

    Results = list[npt.NDArray[Any]]


async def run(executor: Executor, request: Request) -> Results:
    """Run a request and return all outputs; other coroutines run meanwhile.

    Raises:
        RknnTimeoutError: no place in the queue in time, or the run took too long.
        RknnError: the runtime failed.
    """
    import asyncio  # not above: it takes longer than the rest of the package, and few programs need it

    inference = Inference(executor, request, mailbox_of(asyncio.get_running_loop()))
    try:
        await inference.submit()
    except BaseException:
        request.ended(None)  # it was not accepted
        raise
    return await inference.ended()


def started(executor: Executor, feed: Any, choice: Choice) -> Inference | None:
    """Start an inference if there is room in the queue, with copies of the feed; return None if there is none."""
    import asyncio

    mailbox = mailbox_of(asyncio.get_running_loop())
    if executor.has_line():
        return None
    request = executor.request(feed, private=True, choice=choice)
    inference = Inference(executor, request, mailbox)
    try:
        inference.submit_at_once()
    except RknnTimeoutError:
        request.ended(None)
        return None
    except BaseException:
        request.ended(None)
        raise
    return inference


def run_later(session: Any, feed: Any, choice: Choice, wanted: Sequence[int] | None) -> Coroutine[Any, Any, Results]:
    """Copy a feed, and return a coroutine that runs it once there is room in the queue."""
    executor: Executor = session._deployment.executor
    # Once: a retry must not see what the caller has changed since.
    return _run_owned(session, owned(feed, executor.signature.input_names), choice, wanted)


@retried
async def _run_owned(session: Any, feed: Results, choice: Choice, wanted: Sequence[int] | None) -> Results:
    executor: Executor = session._deployment.executor
    return selected(await run(executor, executor.request(feed, private=False, choice=choice)), wanted)


@retried
def _start_on(session: Any, feed: Any) -> Inference | None:
    return started(session._deployment.executor, feed, AS_THE_SESSION)


def stream(
    session: Any,
    feeds: Iterable[Any] | AsyncIterable[Any],
    output_names: Sequence[str] | None,
    *,
    depth: int,
    ordered: bool,
) -> AsyncStream:
    """Make a stream of inferences of a session, for coroutines; see :class:`.AsyncStream`."""
    from .async_stream import AsyncStream

    wanted = select(output_names, session._deployment.executor.signature.output_names)

    def run(feed: Any) -> Coroutine[Any, Any, Results]:
        return run_later(session, feed, AS_THE_SESSION, wanted)

    return AsyncStream(feeds, partial(_start_on, session), run, wanted, depth=depth, ordered=ordered)
