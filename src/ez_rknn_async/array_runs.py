"""Running arrays: the methods of a session that take feeds, each another way to wait for the outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable

from ._host.callbacks import RESULTS, check_callback
from ._options.run_options import RunSettings, of_one
from ._running import awaitable
from ._running.batch import run_batch, submitter
from ._running.futures import submit
from ._running.pipeline import checked_depth
from ._running.queue_timeout import QueuePatience
from ._running.retry import made_again
from ._running.streams import AsyncStream, Stream, check_feeds
from ._tensors.inputs import owned
from ._tensors.outputs import AS_THE_SESSION, select
from ._values.io_binding import IOBinding
from .binding_runs import submit_binding
from .errors import RknnError

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Iterable, Mapping, Sequence

    import numpy.typing as npt

    from ._running.executor import Executor
    from ._running.futures import RunFuture
    from ._running.pipeline import Pipeline
    from ._runtime.engine import Result
    from ._tensors.outputs import Choice
    from ._transport.signature import Request

    Array = npt.NDArray[Any]
    Callback = Callable[[list[Array] | None, Any, str], object]


class ArrayRuns:
    """The part of ``InferenceSession`` that runs arrays."""

    _executor: Executor
    _pipeline: Pipeline

    @made_again
    def run(
        self,
        output_names: Sequence[str] | None,
        input_feed: Any,
        run_options: Any = None,
        *,
        outputs: Mapping[str, Array] | None = None,
    ) -> list[Array]:
        """Run one inference and return its outputs.

        Args:
            output_names: which outputs, in which order; None or empty for all.
            input_feed: ``{name: array}``, a sequence of arrays in the model's order, or one array for the only input.
                Any real dtype; shapes as :meth:`get_inputs` says.
            run_options: a dictionary or a :class:`RunOptions` with ``ztu_modelrt_dispatch_batch`` (run each sample of a
                batch on its own, spread over the cores), ``output_dtype`` or ``output_layout``.
            outputs: arrays to write outputs into, by name: C-contiguous, of the output's shape, float32 or of the
                output's own type. The results are then these very arrays.

        Returns:
            C-contiguous arrays, new ones but for those in ``outputs``: float32 unless the output is of an integer type
            without quantisation or ``output_dtype`` is ``"native"``.

        Raises:
            RknnValueError, RknnTypeError: the feed does not fit the model; nothing reached the NPU.
            RknnTimeoutError: no worker was free within ``submit_timeout_ms``.
            RknnDeviceError: the NPU failed.
        """
        executor, settings = self._executor, RunSettings.of(run_options)
        choice, interface = settings.outputs, executor.interface
        wanted = select(output_names, interface.output_names, "run(output_names, input_feed)")
        if settings.dispatch_batch:
            queue = submitter(executor)
            results = run_batch(interface, input_feed, queue, outputs=outputs, choice=choice)
        else:
            request = interface.request(input_feed, private=False, outputs=outputs, choice=choice)
            results = executor.run(request)
        return [results[index] for index in wanted]

    @made_again
    def run_async(
        self,
        output_names: Sequence[str] | None,
        input_feed: Any,
        callback: Callback,
        user_data: Any = None,
        run_options: Any = None,
    ) -> None:
        """Queue one inference and return; ``callback(results, user_data, err)`` gets what comes of it.

        The inputs are copied before this returns. The callback is called on the session's own thread: with the list of
        outputs, ``user_data`` and ``""``; or with None, ``user_data`` and the error's text. Callbacks come in the order
        of submission (provider option ``sequential_callbacks``). What one raises goes to ``threading.excepthook``, or
        is logged if the program has set up logging; the next one is called all the same.

        Raises:
            RknnTypeError: the callback does not take three positional arguments, or is a coroutine function.
            RknnValueError, RknnTypeError: the feed does not fit the model; the callback will not be called.
            RknnTimeoutError: the queue stayed full for ``submit_timeout_ms``; the callback will not be called.
        """
        call = "run_async(output_names, input_feed, callback, user_data=None)"
        check_callback(callback, RESULTS, call, "pass a function, or await run_awaitable()")
        executor, settings = self._executor, of_one(run_options, "run_async")
        wanted = select(output_names, executor.interface.output_names, call)

        def receive(request: Request, result: Result) -> None:
            if result.code < 0:
                callback(None, user_data, str(executor.failure(result)))
            else:
                outputs = request.arrays
                callback([outputs[index] for index in wanted], user_data, "")

        executor.submit(_request(executor, input_feed, settings.outputs), receive)

    @made_again
    def submit(
        self, input_feed: Any, output_names: Sequence[str] | None = None, *, timeout: float | None = None
    ) -> RunFuture:
        """Queue one inference and return its future, which is one of the standard library's.

        It can be cancelled until a worker takes it up. Futures end as their tasks do, in no particular order; what
        ``add_done_callback`` adds is called on the session's own thread.

        Args:
            input_feed: as for :meth:`run`; it is copied before this returns. Or what :meth:`io_binding` returned: then
                nothing is copied, and the result is the list of its output values.
            output_names: which outputs, in which order; None or empty for all. A binding says so itself.
            timeout: how many seconds to wait for a place in the queue; 0: do not wait; None: ``submit_timeout_ms``.

        Raises:
            RknnValueError, RknnTypeError: the feed does not fit the model, or the timeout is no time.
            RknnInUseError: the binding, or one of its values, is in use.
            RknnTimeoutError: the queue stayed full.
        """
        executor, patience = self._executor, QueuePatience.of(timeout)
        with patience.explained():
            if isinstance(input_feed, IOBinding):
                return submit_binding(self, executor, input_feed, output_names, patience.milliseconds)
            wanted = select(output_names, executor.interface.output_names, "submit(input_feed, output_names=None)")
            return submit(executor, _request(executor, input_feed), wanted, patience.milliseconds)

    @made_again
    async def run_awaitable(
        self, output_names: Sequence[str] | None, input_feed: Any, run_options: Any = None
    ) -> list[Array]:
        """:meth:`run` for asyncio: ``outputs = await session.run_awaitable(None, feed)``.

        No thread is used per call and nothing polls; while the queue is full the event loop goes on. Cancelling
        withdraws the task if no worker has taken it up. Sessions may be shared by loops in several threads.

        Args, raises: as :meth:`run`; the feed is copied before the first await.
        """
        settings, interface = of_one(run_options, "run_awaitable"), self._executor.interface
        wanted = select(output_names, interface.output_names, "run_awaitable(output_names, input_feed)")
        # Once, out here: when the call is made again the caller may have changed the arrays.
        outputs = await self._run_owned(owned(input_feed, interface.input_names), settings.outputs)
        return [outputs[index] for index in wanted]

    @made_again
    async def _run_owned(self, feed: list[Array], choice: Choice) -> list[Array]:
        executor = self._executor
        return await awaitable.run(executor, executor.interface.request(feed, private=False, choice=choice))

    def map(
        self,
        feeds: Iterable[Any],
        *,
        depth: int | None = None,
        ordered: bool = True,
        output_names: Sequence[str] | None = None,
    ) -> Stream:
        """Run a stream of feeds: ``for outputs in session.map(frames): ...``.

        Lazy and bounded: at most ``depth`` feeds are taken ahead. An inference that fails raises at its own item; the
        iteration can go on after it. Closing the stream (or dropping it) cancels what is queued.

        Args:
            feeds: an iterable of feeds, each as for :meth:`run`.
            depth: how many are under way at once, at least 1; None: enough to keep every worker busy.
            ordered: results in the order of the feeds; otherwise as they finish.
            output_names: which outputs, in which order; None or empty for all.
        """
        select(output_names, self._executor.interface.output_names, "map(feeds, output_names=...)")
        check_feeds(feeds, "map")
        return Stream(feeds, lambda feed: self.submit(feed, output_names), depth=self._depth(depth), ordered=ordered)

    def map_awaitable(
        self,
        feeds: Iterable[Any] | AsyncIterable[Any],
        *,
        depth: int | None = None,
        ordered: bool = True,
        output_names: Sequence[str] | None = None,
    ) -> AsyncStream:
        """:meth:`map` for asyncio: ``async for outputs in session.map_awaitable(frames): ...``.

        ``feeds`` may be an asynchronous iterable. Leaving the loop early: ``await stream.aclose()``, or use the stream
        in an ``async with`` block.
        """
        select(output_names, self._executor.interface.output_names, "map_awaitable(feeds, output_names=...)")
        check_feeds(feeds, "map_awaitable", asynchronous=True)
        return AsyncStream(
            feeds, lambda feed: self.run_awaitable(output_names, feed), depth=self._depth(depth), ordered=ordered
        )

    def run_pipeline(
        self,
        input_feed: Any,
        depth: int = 3,
        reset: bool = False,
        output_names: Sequence[str] | None = None,
    ) -> list[Array] | None:
        """Give in a frame and take out the outputs of the frame given in ``depth`` calls ago.

        Args:
            input_feed: as for :meth:`run`; it is copied before this returns.
            depth: how many frames are under way; the first ``depth`` calls return None.
            reset: start anew with this frame, dropping the results of those under way. So does another depth.
            output_names: which outputs of this frame, in which order; None or empty for all.

        Raises:
            RknnError: as :meth:`run`; an error of an older frame is raised when its results are due.
        """
        if self._executor.is_delivering():
            raise RknnError("run_pipeline() would wait for this callback's own thread; use run() in a callback")
        return self._pipeline.step(lambda: self.submit(input_feed, output_names), depth, bool(reset))

    def drain_pipeline(self) -> list[list[Array]]:
        """The outputs of the frames that :meth:`run_pipeline` has under way, oldest first; it is empty afterwards.

        Raises:
            RknnError: a frame failed. It alone is taken out: call again for the outputs of the others.
        """
        return self._pipeline.drain()

    def _depth(self, depth: int | None) -> int:
        return self._executor.depth if depth is None else checked_depth(depth)


def _request(executor: Executor, input_feed: Any, choice: Choice = AS_THE_SESSION) -> Request:
    """One that shares no memory with the feed."""
    return executor.interface.request(input_feed, private=True, choice=choice)
