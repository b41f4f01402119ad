# SPDX-License-Identifier: Apache-2.0
"""``map``: a bounded, lazy stream of inferences, for threads and for coroutines.

Both are iterators and not generators, because an inference that fails must raise at its own item and leave the stream
usable, whereas a generator that raises is finished.
"""

from __future__ import annotations

import collections
import contextlib
import queue
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Callable

from .._host.process_bound import ProcessBound
from .._messages.wording import shown
from .._tensors.outputs import select
from ..errors import RknnTypeError
from .futures import result_of
from .pipeline import checked_depth

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from types import TracebackType

    import numpy.typing as npt

    from .executor import Executor

    Results = list[npt.NDArray[Any]]


def check_feeds(feeds: Any, caller: str, *, asynchronous: bool = False) -> None:
    """Check that ``feeds`` is a stream of feeds.

    Raises:
        RknnTypeError: it cannot be iterated over, or it is a single feed; ``caller`` is the method's name.
    """
    if isinstance(feeds, (Mapping, str, bytes)):
        raise RknnTypeError(
            f"feeds takes an iterable of feeds, not {shown(feeds)}; for a single feed use run(None, feed), or "
            f"{caller}([feed])"
        )
    if asynchronous and hasattr(feeds, "__aiter__"):
        return
    if hasattr(feeds, "__aiter__"):
        raise RknnTypeError(f"feeds takes an iterable of feeds, not {shown(feeds)}; use map_awaitable() instead")
    try:
        iter(feeds)
    except TypeError:
        raise RknnTypeError(
            f"feeds takes an iterable of feeds, such as a list or a generator of dictionaries, not {shown(feeds)}"
        ) from None


def check_stream(
    executor: Executor,
    feeds: Any,
    depth: int | None,
    output_names: Sequence[str] | None,
    caller: str,
    *,
    asynchronous: bool = False,
) -> int:
    """Check the arguments of ``map()``, and return the number of inferences to have under way.

    Raises:
        RknnTypeError, RknnValueError: an argument is wrong; ``caller`` is the method's name.
    """
    select(output_names, executor.signature.output_names, f"{caller}(feeds, output_names=...)")
    check_feeds(feeds, caller, asynchronous=asynchronous)
    return executor.depth if depth is None else checked_depth(depth)


class Stream(ProcessBound):
    """The results of a stream of feeds; at most ``depth`` of them are under way.

    Iterating submits the feeds as there is room for them. An item whose inference failed, or whose feed was wrong,
    raises when it is its turn; the items after it still come. Several threads may iterate over one stream: each item
    goes to one of them.
    """

    def __init__(
        self, feeds: Iterable[Any], submit: Callable[[Any], Future[Results]], *, depth: int, ordered: bool
    ) -> None:
        self._feeds = iter(feeds)
        self._submit = submit
        self._depth = depth
        self._window: collections.deque[Future[Results]] = collections.deque()
        self._finished: queue.Queue[Future[Results]] | None = None if ordered else queue.Queue()
        self._fed = False
        # Held while the next item is chosen; not by close(), which must not wait for a slow source of feeds.
        self._turn = threading.RLock()

    def __iter__(self) -> Stream:
        return self

    def __next__(self) -> Results:
        with self._turn:
            future = self._next_future()
        return result_of(future)

    def _next_future(self) -> Future[Results]:
        # At least one, so that as many go in as come out; more only while no result is ready.
        while not self._fed and len(self._window) < self._depth:
            self._feed_one()
            if self._has_result():
                break
        if not self._window:
            raise StopIteration
        try:
            if self._finished is None:
                return self._window.popleft()
            future = self._finished.get()
            self._window.remove(future)
        except (IndexError, ValueError):  # close() took it
            raise StopIteration from None
        return future

    def close(self) -> None:
        """Submit no more, cancel what is queued, and forget the rest; the session stays usable."""
        self._fed = True
        with contextlib.suppress(IndexError):
            while True:
                self._window.pop().cancel()

    def __enter__(self) -> Stream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def _has_result(self) -> bool:
        if self._finished is not None:
            return not self._finished.empty()
        try:
            return self._window[0].done()
        except IndexError:
            return False

    def _feed_one(self) -> None:
        try:
            feed = next(self._feeds)
        except StopIteration:
            self._fed = True
            return
        except BaseException as error:
            # The source of the feeds has failed: the results of earlier feeds are still delivered, then its error.
            self._fed = True
            future: Future[Results] = _failed(error)
        else:
            future = self._try_submit(feed)
        self._window.append(future)
        if self._finished is not None:
            future.add_done_callback(self._finished.put)

    def _try_submit(self, feed: Any) -> Future[Results]:
        try:
            return self._submit(feed)
        except Exception as error:
            return _failed(error)


def _failed(error: BaseException) -> Future[Results]:
    future: Future[Results] = Future()
    future.set_exception(error)
    return future
