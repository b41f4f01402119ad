"""``InferenceSession``: one model, ready to run on the cores that its options name."""

from __future__ import annotations

import difflib
import logging
import weakref
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Callable

from . import awaitable
from .batch import run_batch, submitter
from .binding_runs import BindingRuns, submit_binding
from .errors import RknnClosedError, RknnError, RknnTypeError, RknnValueError
from .executor import failure
from .futures import submit
from .io_binding import IOBinding
from .opening import open_model
from .options import ProviderOptions
from .outputs import select
from .pipeline import Pipeline
from .providers import choose
from .run_options import RunSettings, of_one
from .session_options import SessionOptions
from .severity import DEFAULT, set_default_logger_severity
from .streams import AsyncStream, Stream

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
    from types import TracebackType

    import numpy.typing as npt

    from .executor import Executor
    from .futures import RunFuture
    from .interface import Request
    from .metadata import ModelMetadata
    from .node_arg import NodeArg
    from .profiling import Profiler
    from .runtime.engine import Result
    from .stats import SessionStats

    Array = npt.NDArray[Any]
    Callback = Callable[[list[Array] | None, Any, str], object]

logger = logging.getLogger("ez_rknn_async")

_KEYWORDS = ("use_weight_from",)


class InferenceSession(BindingRuns):
    """A model on the NPU, with the interface of ONNX Runtime's session of that name.

    Thread-safe: any number of threads may call any of its methods at once. Use it in a ``with`` block, or call
    :meth:`close`; a session that is dropped without either closes itself.
    """

    def __init__(
        self,
        path_or_bytes: str | os.PathLike[str] | bytes | bytearray | memoryview,
        sess_options: Any = None,
        providers: Any = None,
        provider_options: Any = None,
        **kwargs: Any,
    ) -> None:
        """Load a model and make it ready on every core that the options name.

        Args:
            path_or_bytes: the ``.rknn`` file's path, or its content.
            sess_options: a :class:`SessionOptions`, or ONNX Runtime's own, for profiling and logging.
            providers: None, or ``"RKNPU2ExecutionProvider"`` (also as ``(name, options)``), or
                ``"RKNPU2SimulatorExecutionProvider"`` for the simulated NPU.
            provider_options: a dictionary; see :func:`ez_rknn_async.make_provider_options`.
            **kwargs: ``use_weight_from=session``: the session whose weights stand for those that this model leaves out
                (``remove_weight=True``). It may be closed before this one: its weights stay as long as they are used.

        Raises:
            RknnModelError: the file is damaged, or not for this SoC or runtime.
            RknnClosedError: the session given as ``use_weight_from`` is closed.
            RknnRuntimeNotFoundError: no runtime library could be loaded.
            RknnValueError, RknnTypeError: an argument is wrong.
        """
        self._model = path_or_bytes
        self._lender = _lender(kwargs)
        self._session_options = SessionOptions.of(sess_options)
        if self._session_options.log_severity_level != DEFAULT:
            set_default_logger_severity(self._session_options.log_severity_level)
        self._open(providers, provider_options)

    def _open(self, providers: Any, provider_options: Any) -> None:
        provider, given = choose(providers, provider_options)
        options = ProviderOptions.parse(given)
        opened = open_model(self._model, provider, options, self._session_options, self._lender)
        self._options = options
        self._executor, self._provider, self._modelmeta, self._profiler = opened
        self._pipeline = Pipeline()
        # Runs when the session is dropped and, should that not happen, before the interpreter ends.
        self._finalizer = weakref.finalize(self, _end, self._executor, self._profiler)

    # ---- Running ----

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
                batch on its own, spread over the cores) or ``output_dtype``.
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
        settings = RunSettings.of(run_options)
        wanted = select(output_names, self._executor.interface.output_names)
        native, interface = settings.native_outputs, self._executor.interface
        if settings.dispatch_batch:
            queue = submitter(self._executor)
            results = run_batch(interface, input_feed, queue, outputs=outputs, native_outputs=native)
        else:
            request = interface.request(input_feed, private=False, outputs=outputs, native_outputs=native)
            results = self._executor.run(request)
        return [results[index] for index in wanted]

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
        of submission (provider option ``sequential_callbacks``), and what one raises is logged.

        Raises:
            RknnValueError, RknnTypeError: the feed does not fit the model; the callback will not be called.
            RknnTimeoutError: the queue stayed full for ``submit_timeout_ms``; the callback will not be called.
        """
        if not callable(callback):
            raise RknnTypeError(f"callback must be callable, not {callback!r}")
        settings = of_one(run_options, "run_async")
        wanted = select(output_names, self._executor.interface.output_names)

        def receive(request: Request, result: Result) -> None:
            if result.code < 0:
                callback(None, user_data, str(failure(result)))
            else:
                outputs = request.arrays
                callback([outputs[index] for index in wanted], user_data, "")

        self._executor.submit(self._prepare(input_feed, settings.native_outputs), receive)

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
            timeout: how many seconds to wait for a place in the queue; None: ``submit_timeout_ms``.

        Raises:
            RknnValueError, RknnTypeError: the feed does not fit the model.
            RknnInUseError: the binding, or one of its values, is in use.
            RknnTimeoutError: the queue stayed full.
        """
        timeout_ms = None if timeout is None else max(0, round(timeout * 1000))
        if isinstance(input_feed, IOBinding):
            return submit_binding(self._executor, input_feed, output_names, timeout_ms)
        wanted = select(output_names, self._executor.interface.output_names)
        return submit(self._executor, self._prepare(input_feed), wanted, timeout_ms)

    async def run_awaitable(
        self, output_names: Sequence[str] | None, input_feed: Any, run_options: Any = None
    ) -> list[Array]:
        """:meth:`run` for asyncio: ``outputs = await session.run_awaitable(None, feed)``.

        No thread is used per call and nothing polls; while the queue is full the event loop goes on. Cancelling
        withdraws the task if no worker has taken it up. Sessions may be shared by loops in several threads.

        Args, raises: as :meth:`run`; the feed is copied before the first await.
        """
        settings = of_one(run_options, "run_awaitable")
        wanted = select(output_names, self._executor.interface.output_names)
        outputs = await awaitable.run(self._executor, self._prepare(input_feed, settings.native_outputs))
        return [outputs[index] for index in wanted]

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
        select(output_names, self._executor.interface.output_names)
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
        select(output_names, self._executor.interface.output_names)
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
        if depth is None:
            return self._executor.depth
        if isinstance(depth, bool) or not isinstance(depth, int) or depth < 1:
            raise RknnValueError(f"depth={depth!r} must be an integer of at least 1")
        return depth

    def _prepare(self, input_feed: Any, native_outputs: bool | None = None) -> Request:
        return self._executor.interface.request(input_feed, private=True, native_outputs=native_outputs)

    @property
    def stats(self) -> SessionStats:
        """What the session has done so far: tasks and load of each core, latency percentiles, memory."""
        return self._executor.stats.read()

    # ---- What the model is ----

    @property
    def input_names(self) -> list[str]:
        """The names of the inputs, in the model's order."""
        return list(self._executor.interface.input_names)

    @property
    def output_names(self) -> list[str]:
        """The names of the outputs, in the model's order."""
        return list(self._executor.interface.output_names)

    def get_inputs(self) -> list[NodeArg]:
        """The inputs: names, shapes in the layout that the user chose, types, quantisation."""
        return self._executor.interface.node_args()[0]

    def get_input_shapes(self) -> list[dict[str, list[int]]]:
        """Each legal set of input shapes, ``{name: shape}``, largest first: one, or several for a dynamic model."""
        return self._executor.interface.input_shapes()

    def get_outputs(self) -> list[NodeArg]:
        """The outputs: names, shapes, types, quantisation."""
        return self._executor.interface.node_args()[1]

    def get_modelmeta(self) -> ModelMetadata:
        """What the model's author and the compiler wrote into the file."""
        return self._modelmeta

    def get_providers(self) -> list[str]:
        """Where this session runs: ``["RKNPU2ExecutionProvider"]``, or ``["RKNPU2SimulatorExecutionProvider"]``."""
        return [self._provider]

    def set_providers(self, providers: Any = None, provider_options: Any = None) -> None:
        """Load the model again, on another provider or with other options.

        What was accepted before is delivered, on the cores as they were; then those contexts are given back. For a
        moment both are in memory.

        Args, raises: as for a new session; when it fails, the session stays as it was.
        """
        if not self._finalizer.alive:
            raise RknnClosedError("the session is closed")
        end = self._finalizer
        self._open(providers, provider_options)
        end()

    def get_session_options(self) -> SessionOptions:
        """The session options in force."""
        return self._session_options

    def get_provider_options(self) -> dict[str, dict[str, Any]]:
        """The options in force, by provider, defaults included."""
        return {self._provider: asdict(self._options)}

    # ---- Profiling ----

    def end_profiling(self) -> str:
        """Write the profile that ``SessionOptions.enable_profiling`` began, and return the file's path.

        It is a Chrome trace: open it in ``chrome://tracing`` or https://ui.perfetto.dev. With the provider option
        ``collect_perf`` it has the runtime's table of layers too, measured now on a context of its own. Recording ends
        here; :meth:`close` does the same where it was not called. Without ``enable_profiling`` it returns ``""``.

        Raises:
            OSError: the file cannot be written; it may be tried again.
        """
        return self._profiler.end() if self._profiler is not None else ""

    def get_profiling_start_time_ns(self) -> int:
        """When the profile began, in nanoseconds of ``CLOCK_MONOTONIC``; 0 without one."""
        return self._profiler.start_ns if self._profiler is not None else 0

    # ---- Ending ----

    def close(self, *, cancel: bool = False) -> None:
        """Deliver what was accepted, then end the threads and give the NPU's memory back. May be called twice.

        Args:
            cancel: do not run what no worker has taken up yet: its futures are cancelled, callbacks get the text of an
                error, coroutines and other threads' :meth:`run` raise :class:`RknnClosedError`.

        Any other method called afterwards that needs the NPU raises :class:`RknnClosedError`.
        """
        if cancel:
            self._executor.close(cancel=True)
        self._finalizer()

    def __enter__(self) -> InferenceSession:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _lender(kwargs: Mapping[str, Any]) -> Executor | None:
    """What runs the session given as ``use_weight_from``, if one is given."""
    for name in kwargs:
        if name not in _KEYWORDS:
            near = difflib.get_close_matches(name, ["sess_options", "providers", "provider_options", *_KEYWORDS], n=1)
            raise RknnTypeError(
                f"InferenceSession has no argument {name!r}" + (f"; did you mean {near[0]!r}?" if near else "")
            )
    session = kwargs.get("use_weight_from")
    if session is None:
        return None
    if not isinstance(session, InferenceSession):
        raise RknnTypeError(f"use_weight_from takes an InferenceSession, not {session!r}")
    return session._executor


def _end(executor: Executor, profiler: Profiler | None) -> None:
    executor.close()
    if profiler is not None:
        try:
            profiler.end()
        except OSError:
            logger.exception("the profile could not be written")
