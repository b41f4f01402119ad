"""One thread that collects what the engine's workers finish, and hands it out.

The workers never touch the interpreter; this thread is where their results enter it. It is started with the first task
that someone wants delivered, and ends when the engine is closed and everything accepted was delivered.
"""

from __future__ import annotations

import itertools
import threading
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Protocol

from .._host import greenlets
from .._host.callbacks import report_exception
from .._runtime.engine import OK, ROOM, RUN_TIMEOUT, STALLED
from ..errors import RknnError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .._runtime.engine import Engine, Result, Task
    from .._runtime.kernels import Conversion


class Runnable(Protocol):
    """What can be run: a :class:`.interface.Request`, or a :class:`.binding_request.BindingRequest`."""

    @property
    def arrays(self) -> list[Any]:
        """The arrays that the outputs will be in."""

    @property
    def conversions(self) -> list[Conversion]:
        """What the worker does to the inputs."""

    def fill(self, task: Task) -> None:
        """Write what is to be run into the structures of a task."""

    def ended(self, result: Result | None) -> None:
        """Nothing of the engine or the runtime uses its arrays and memory any more. May be called twice.

        ``result`` is None when nothing has run.
        """


class Watcher(Protocol):
    """Is told of every task that ends."""

    def task(self, result: Result) -> None:
        """It ended like this; on any thread."""

    def watching(self, receive: Callable[[Any, Result], None]) -> Callable[[Any, Result], None]:
        """The same receiver of a task's results, telling of the task too."""


class Delivery(NamedTuple):
    """A task under way: the request, whose arrays it needs alive, and who waits for its result."""

    request: Runnable
    receive: Callable[[Any, Result], None]


class Listener(NamedTuple):
    """Who is told what is not a completion. All are called on the dispatcher's thread."""

    delivered: Callable[[Runnable], None]  # that task's result was, which may have succeeded
    room: Callable[[], None]  # a submission may succeed
    stalled: Callable[[int, int, int], None]  # that worker hangs inside the runtime, with the task of that tag and lane
    released: Callable[[int, int], None]  # the call that hung with the task of that tag and lane has come back


class Dispatcher:
    """Delivers the events of one engine, on a thread of its own."""

    def __init__(self, engine: Engine, listener: Listener) -> None:
        self._engine = engine
        self._listener = listener
        self._tags = itertools.count()
        self._deliveries: dict[int, Delivery] = {}
        self._held: dict[int, Runnable] = {}  # whose arrays a call of the runtime may be using, but nobody waits
        self._stalled: set[int] = set()  # tags of tasks that hang inside the runtime
        self._starting = threading.Lock()  # guards the two below
        self._thread: threading.Thread | None = None
        self._framework: greenlets.Framework | None = None  # whose greenlet that is

    def submit(self, task: Task, delivery: Delivery, timeout_ms: int, *, unordered: bool) -> int:
        """Queue a task whose result shall be delivered, and return its id.

        Raises:
            RknnTimeoutError, RknnClosedError: it was not accepted, and nothing will be delivered.
        """
        self.start()
        tag = next(self._tags)
        # Known before the engine is: the result may be back before the submission returns.
        self._deliveries[tag] = delivery
        try:
            return self._engine.submit(task, tag, timeout_ms, unordered=unordered)
        except BaseException:
            del self._deliveries[tag]
            raise

    def holding(self, request: Runnable) -> Hold:
        """Hold the arrays of a run for the ``with`` block, and beyond it if it is told to."""
        return Hold(next(self._tags), request, self._held, self.start)

    def serves_greenlets(self) -> bool:
        """Whether the caller is a greenlet that may let others go on, this dispatcher's among them, until it is served.

        Raises: as :meth:`start`.
        """
        if greenlets.framework() is None or not greenlets.in_main_thread():
            return False
        self.start()
        return not self.is_current_thread()

    def is_current_thread(self) -> bool:
        """Whether the caller runs inside a delivery."""
        return threading.current_thread() is self._thread

    def join(self) -> None:
        """Wait until everything was delivered; the engine must have been closed."""
        with self._starting:
            thread = self._thread
        if thread is not None:
            thread.join()

    def start(self) -> None:
        """Start the thread, unless it runs. Where threads are greenlets it is one of the main thread.

        Raises:
            RknnError: the program was patched after it was started, or it would be on a thread whose greenlets do not
                go on by themselves.
        """
        framework = greenlets.framework()
        if self._thread is None:
            with self._starting:
                if self._thread is None:
                    self._thread = self._started(framework)
        if framework is not self._framework:
            raise RknnError(
                "monkey.patch_all() came after this session had started its threads",
                hint="patch first thing in the program, before sessions are opened",
            )

    def _started(self, framework: greenlets.Framework | None) -> threading.Thread:
        if framework is not None and not greenlets.in_main_thread():
            raise RknnError(
                f"the first call that {framework.name}'s greenlets are to wait for came from another thread",
                hint="open the session in the main thread; run() works in every thread",
            )
        self._framework = framework
        # Daemon: a program that ends without closing its session must not wait for this thread for ever; the session's
        # finalizer has drained it before the interpreter goes.
        thread = threading.Thread(target=self._dispatch, name="ez-rknn-dispatch", daemon=True)
        thread.start()
        return thread

    def _batches(self) -> Iterator[list[tuple[int, Result | None]]]:
        if self._framework is None:
            return iter(self._engine.next_events, [])
        return greenlets.relayed(self._framework, self._engine.next_events)

    def _dispatch(self) -> None:
        for events in self._batches():
            for event, result in events:
                try:
                    self._handle(event, result)
                except BaseException:
                    # Whatever a callback raises, SystemExit included, is its own business: the others are owed theirs.
                    report_exception()

    def _handle(self, event: int, result: Result | None) -> None:
        if result is None:
            assert event == ROOM
            self._listener.room()
        elif event == OK:
            self._deliver(result)
        elif event == STALLED:
            self._stalled.add(result.tag)
            self._listener.stalled(result.worker, result.tag, result.lane)
        else:
            request = self._held.pop(result.tag, None)
            if request is not None:
                request.ended(result)
            if result.tag in self._stalled:
                self._stalled.remove(result.tag)
                self._listener.released(result.tag, result.lane)

    def _deliver(self, result: Result) -> None:
        delivery = self._deliveries.pop(result.tag)
        if result.code == RUN_TIMEOUT and self._engine.has_watchdog:
            self._held[result.tag] = delivery.request
        else:
            delivery.request.ended(result)
        try:
            delivery.receive(delivery.request, result)
        finally:
            self._listener.delivered(delivery.request)


class Hold:
    """The arrays of one run, by its tag. Held before the run begins: the word that they are free may come early."""

    __slots__ = ("_held", "_is_kept", "_listen", "_request", "result", "tag")

    def __init__(self, tag: int, request: Runnable, held: dict[int, Runnable], listen: Callable[[], None]) -> None:
        self.tag = tag
        self._request = request
        self._held = held
        self._listen = listen
        self._is_kept = False
        self.result: Result | None = None  # of the run, as soon as there is one

    def __enter__(self) -> Hold:
        self._held[self.tag] = self._request
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_kept:
            self._listen()
        else:
            self._held.pop(self.tag, None)  # it may have come and gone
            self._request.ended(self.result)

    def keep(self, is_kept: bool) -> None:
        """Hold the arrays until the engine says that a call of the runtime, which is still using them, came back."""
        self._is_kept = is_kept
