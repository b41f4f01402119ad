# SPDX-License-Identifier: Apache-2.0
"""``InferenceSession``: one model, ready to run on the cores that its options name."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Optional

from ._host.callbacks import RESULTS, VALUES, check_callback
from ._options.run_options import DEFAULT_SETTINGS, RunOptionsLike, RunSettings, of_one
from ._running import awaitable
from ._running.batch import run_batch_on
from ._running.callback import Callback, deliver_to
from ._running.deployment import Deployment, read_health
from ._running.futures import RunFuture, submit
from ._running.pipeline import Pipeline
from ._running.queue_timeout import QueueTimeout
from ._running.retry import retried
from ._running.session_internals import SessionInternals
from ._running.streams import Stream, check_stream
from ._running.weight_lender import weight_lender
from ._tensors.outputs import select, selected
from ._values.binding_runs import binding_request, feed_of_values, run_on_vectors, submit_binding
from ._values.io_binding import IOBinding
from ._values.ort_value import OrtValue
from ._values.ports import ports_of
from .errors import RknnError

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Iterable, Mapping, Sequence

    import numpy.typing as npt

    from ._contexts.model_source import PathOrBytes
    from ._observing.health import SessionHealth
    from ._observing.stats import SessionStats
    from ._options.providers import ProviderOptionsLike, Providers
    from ._options.session_options import SessionOptions, SessionOptionsLike
    from ._running.async_stream import AsyncStream
    from ._tensors.metadata import ModelMetadata
    from ._tensors.node_arg import NodeArg

    Array = npt.NDArray[Any]
    Names = Optional[Sequence[str]]


class InferenceSession(SessionInternals):
    """A model on the NPU, with the interface of ONNX Runtime's class of that name.

    Thread-safe: any number of threads may call any of its methods at once. Use it in a ``with`` block, or call
    :meth:`close`; a session that is dropped closes itself.
    """

    def __init__(
        self,
        path_or_bytes: PathOrBytes,
        sess_options: SessionOptionsLike = None,
        providers: Providers = None,
        provider_options: ProviderOptionsLike = None,
        *,
        use_weight_from: InferenceSession | None = None,
        **kwargs: Any,
    ) -> None:
        """Load a model and make it ready on every core that the options name.

        Args:
            path_or_bytes: the ``.rknn`` file's path, or its content. What was loaded stays whatever happens to it.
            sess_options: a :class:`SessionOptions`, or ONNX Runtime's own, for profiling and logging.
            providers: ``"RKNPU2ExecutionProvider"`` (also as ``(name, options)``), with a ``UserWarning`` where there
                is no NPU; ``"RKNPU2SimulatorExecutionProvider"`` for the simulated one; None for whichever there is.
                Others may be named beside it, and are skipped with a ``UserWarning``.
            provider_options: a dictionary; see :func:`ez_rknn_async.make_provider_options`.
            use_weight_from: the session that lends the weights that this model leaves out (``remove_weight=True``). It
                may be closed before this one: its weights stay as long as they are used.
            **kwargs: ONNX Runtime's ``enable_fallback`` and ``disabled_optimizers`` are ignored, others refused.

        Raises:
            RknnModelError: the file cannot be opened, is damaged, or is not for this SoC or runtime.
            RknnRuntimeNotFoundError, RknnTimeoutError: no runtime library loads, or not within ``load_timeout_ms``.
            RknnClosedError, RknnValueError, RknnTypeError: an argument is wrong, or the lending session is closed.
        """
        lender = weight_lender(InferenceSession, use_weight_from, kwargs)
        self._pipeline = Pipeline()
        self._deployment = Deployment(path_or_bytes, sess_options, providers, provider_options, lender)

    @retried
    def run(
        self,
        output_names: Names,
        input_feed: Any,
        run_options: RunOptionsLike = None,
        *,
        outputs: Mapping[str, Array] | None = None,
    ) -> list[Array]:
        """Run one inference and return its outputs: C-contiguous arrays, new ones but for those in ``outputs``.

        They are float32 unless the output is a plain integer, or ``output_dtype`` is ``"native"``.

        Args:
            output_names: which outputs, in which order; None or empty for all.
            input_feed: ``{name: array}``, a sequence of arrays in the model's order, or one array for the only input.
                Any real dtype; shapes as :meth:`get_inputs` says.
            run_options: a dictionary or a :class:`RunOptions` with ``ztu_modelrt_dispatch_batch`` (run each sample of a
                batch on its own, spread over the cores), ``output_dtype`` or ``output_layout``.
            outputs: arrays to write outputs into, by name: C-contiguous, of the output's shape, float32 or of the
                output's own type. The results are then these very arrays.

        Raises:
            RknnValueError, RknnTypeError: the feed does not fit the model; nothing reached the NPU.
            RknnTimeoutError, RknnDeviceError: no worker was free within ``submit_timeout_ms``; the NPU failed.
        """
        executor = self._deployment.executor
        settings = DEFAULT_SETTINGS if run_options is None else RunSettings.of(run_options)
        if output_names is not None:
            wanted = select(output_names, executor.signature.output_names, "run(output_names, input_feed)")
        if settings.dispatch_batch:
            results = run_batch_on(executor, input_feed, outputs=outputs, choice=settings.outputs)
        else:
            request = executor.request(input_feed, private=False, outputs=outputs, choice=settings.outputs)
            results = executor.run(request)
        return results if output_names is None else selected(results, wanted)

    @retried
    def run_async(
        self,
        output_names: Names,
        input_feed: Any,
        callback: Callback[Array],
        user_data: Any = None,
        run_options: RunOptionsLike = None,
    ) -> None:
        """Queue one inference and return; ``callback(results, user_data, err)`` gets the outcome.

        The inputs are copied before this returns. The callback is called on the session's own thread: with the list of
        outputs and ``""``, or with None and the error's text. Callbacks come in the order of submission (provider
        option ``sequential_callbacks``). What one raises goes to ``threading.excepthook``, or is logged if the program
        has set up logging; the next one is called all the same.

        Raises:
            RknnTypeError: the callback does not take three positional arguments, or is a coroutine function.
            RknnValueError, RknnTypeError, RknnTimeoutError: the feed does not fit the model, or the queue stayed full
                for ``submit_timeout_ms``; the callback will not be called.
        """
        call = "run_async(output_names, input_feed, callback, user_data=None)"
        check_callback(callback, RESULTS, call, "pass a function, or await run_awaitable()")
        executor, settings = self._deployment.executor, of_one(run_options, "run_async")
        wanted = select(output_names, executor.signature.output_names, call)
        request = executor.request(input_feed, private=True, choice=settings.outputs)
        deliver_to(callback, user_data, executor, request, lambda: selected(request.arrays, wanted))

    @retried
    def submit(self, input_feed: Any, output_names: Names = None, *, timeout: float | None = None) -> RunFuture:
        """Queue one inference and return its future, which is one of the standard library's.

        It can be cancelled until a worker takes it up. Futures end in no particular order. What ``add_done_callback``
        adds is called on the session's thread.

        Args:
            input_feed: as for :meth:`run`; it is copied before this returns. Or what :meth:`io_binding` returned: then
                nothing is copied, and the result is the list of its output values.
            output_names: which outputs, in which order; None or empty for all. Not with a binding, which has its own.
            timeout: the seconds to wait for a place in the queue; 0: do not wait; None: ``submit_timeout_ms``.

        Raises:
            RknnValueError, RknnTypeError: the feed does not fit the model, or the timeout is not a number of seconds.
            RknnInUseError, RknnTimeoutError: the binding or one of its values is in use; the queue stayed full.
        """
        executor, limit = self._deployment.executor, QueueTimeout.of(timeout)
        with limit.explained():
            if isinstance(input_feed, IOBinding):
                return submit_binding(self, executor, input_feed, output_names, limit.milliseconds)
            wanted = select(output_names, executor.signature.output_names, "submit(input_feed, output_names=None)")
            return submit(executor, executor.request(input_feed, private=True), wanted, limit.milliseconds)

    @retried
    async def run_awaitable(
        self, output_names: Names, input_feed: Any, run_options: RunOptionsLike = None
    ) -> list[Array]:
        """Run one inference from a coroutine: ``outputs = await session.run_awaitable(None, feed)``.

        No thread is used per call and nothing polls; while the queue is full the event loop goes on. Cancelling
        withdraws a task that no worker has taken up. Loops in several threads may share a session. The feed is copied
        before the first await.
        """
        executor, settings = self._deployment.executor, of_one(run_options, "run_awaitable")
        wanted = select(output_names, executor.signature.output_names, "run_awaitable(output_names, input_feed)")
        started = awaitable.started(executor, input_feed, settings.outputs)
        if started is not None:
            return selected(await started.ended(), wanted)
        return await awaitable.run_later(self, input_feed, settings.outputs, wanted)

    def map(
        self, feeds: Iterable[Any], *, depth: int | None = None, ordered: bool = True, output_names: Names = None
    ) -> Stream:
        """Run a stream of feeds: ``for outputs in session.map(frames): ...``.

        An inference that fails raises at its own item; the iteration can go on after it. Closing the stream (or
        dropping it) cancels what is queued. At most ``depth`` feeds are taken ahead.

        Args:
            feeds: an iterable of feeds, each as for :meth:`run`.
            depth: the number under way at once, at least 1; None: enough to keep every worker busy.
            ordered: results in the order of the feeds; otherwise as they finish.
        """
        depth = check_stream(self._deployment.executor, feeds, depth, output_names, "map")
        return Stream(feeds, partial(self.submit, output_names=output_names), depth=depth, ordered=ordered)

    def map_awaitable(
        self,
        feeds: Iterable[Any] | AsyncIterable[Any],
        *,
        depth: int | None = None,
        ordered: bool = True,
        output_names: Names = None,
    ) -> AsyncStream:
        """Run :meth:`map` for coroutines, also on asynchronous ``feeds``; ``await stream.aclose()`` ends it early."""
        depth = check_stream(self._deployment.executor, feeds, depth, output_names, "map_awaitable", asynchronous=True)
        return awaitable.stream(self, feeds, output_names, depth=depth, ordered=ordered)

    def run_pipeline(
        self, input_feed: Any, depth: int = 3, reset: bool = False, output_names: Names = None
    ) -> list[Array] | None:
        """Submit a frame and return the outputs of the frame submitted ``depth`` calls ago.

        Args:
            input_feed: as for :meth:`run`; it is copied before this returns.
            depth: the number of frames under way; the first ``depth`` calls return None.
            reset: start again with this frame, dropping the results of those under way. So does another depth.

        Raises as :meth:`run`; an error of an older frame is raised when its results are due.
        """
        if self._deployment.executor.is_delivering():
            raise RknnError("run_pipeline() would wait for this callback's own thread; use run() in a callback")
        return self._pipeline.step(lambda: self.submit(input_feed, output_names), depth, bool(reset))

    def drain_pipeline(self) -> list[list[Array]]:
        """Return the outputs of the frames under way, oldest first. A failed one raises, and it alone is taken out."""
        return self._pipeline.drain()

    @retried
    def io_binding(self) -> IOBinding:
        """Make an :class:`IOBinding`; refused if tensors are copied (provider option ``io_mode``)."""
        return IOBinding(self)

    @retried
    def run_with_iobinding(self, iobinding: IOBinding, run_options: RunOptionsLike = None) -> None:
        """Run one inference on the bound values, copying nothing; RknnInUseError if one of them is in use."""
        executor, request = binding_request(self, iobinding, run_options, "run_with_iobinding")
        executor.run(request)

    @retried
    def run_with_iobinding_async(
        self,
        iobinding: IOBinding,
        callback: Callback[OrtValue],
        user_data: Any = None,
        run_options: RunOptionsLike = None,
    ) -> None:
        """Queue one inference on the bound values; ``callback(values, user_data, err)`` gets the outcome.

        As with :meth:`run_async`, but ``values`` is the list that ``iobinding.get_outputs()`` returns, or None with
        ``err``. Until then the binding and its values are in use.
        """
        call = "run_with_iobinding_async(iobinding, callback, user_data=None)"
        check_callback(callback, VALUES, call, "pass a function, or await run_with_iobinding_awaitable()")
        executor, request = binding_request(self, iobinding, run_options, "run_with_iobinding_async")
        deliver_to(callback, user_data, executor, request, iobinding.results)

    @retried
    async def run_with_iobinding_awaitable(
        self, iobinding: IOBinding, run_options: RunOptionsLike = None
    ) -> list[OrtValue]:
        """Run one inference on the bound values from a coroutine; return what ``iobinding.get_outputs()`` does."""
        executor, request = binding_request(self, iobinding, run_options, "run_with_iobinding_awaitable")
        await awaitable.run(executor, request)
        return iobinding.results()

    def run_with_ort_values(
        self, output_names: Names, input_dict_ort_values: Mapping[str, OrtValue], run_options: RunOptionsLike = None
    ) -> list[OrtValue]:
        """Run one inference on values, ours or ONNX Runtime's own, and return values on the CPU; see :meth:`run`."""
        outputs = self.run(output_names, feed_of_values(input_dict_ort_values), run_options)
        return list(map(OrtValue.ortvalue_from_numpy, outputs))

    def run_with_ortvaluevector(
        self, run_options: Any, feed_names: Any, feeds: Any, fetch_names: Any, fetches: Any, fetch_devices: Any
    ) -> None:
        """Run one inference on ONNX Runtime's vectors of values, or lists; outputs are added to ``fetches``."""
        run_on_vectors(self, run_options, feed_names, feeds, fetch_names, fetches)

    def get_native_inputs(self) -> list[NodeArg]:
        """Describe the memory layout of a value for each input (provider option ``zero_copy_layout``)."""
        return [port.node_arg for port in ports_of(self._deployment.executor).inputs]

    def get_native_outputs(self) -> list[NodeArg]:
        """Describe the memory layout of a value for each output; see :meth:`get_native_inputs`."""
        return [port.node_arg for port in ports_of(self._deployment.executor).outputs]

    @property
    def input_names(self) -> list[str]:
        """The names of the inputs, in the model's order."""
        return list(self._deployment.executor.signature.input_names)

    @property
    def output_names(self) -> list[str]:
        """The names of the outputs, in the model's order."""
        return list(self._deployment.executor.signature.output_names)

    def get_inputs(self) -> list[NodeArg]:
        """Return the inputs: names, shapes in the layout that the user chose, types, quantisation."""
        return self._deployment.executor.signature.node_args()[0]

    def get_input_shapes(self) -> list[dict[str, list[int]]]:
        """Return the legal sets of input shapes, ``{name: shape}``, largest first; several for a dynamic model."""
        return self._deployment.executor.signature.input_shapes()

    def get_outputs(self) -> list[NodeArg]:
        """Return the outputs: names, shapes, types, quantisation."""
        return self._deployment.executor.signature.node_args()[1]

    def get_overridable_initializers(self) -> list[NodeArg]:
        """Return an empty list: the weights are compiled into the model."""
        return []

    def get_modelmeta(self) -> ModelMetadata:
        """Return the metadata that the model's author and the compiler wrote into the file."""
        return self._deployment.metadata

    def get_providers(self) -> list[str]:
        """Return the provider in use: ``["RKNPU2ExecutionProvider"]``, or ``["RKNPU2SimulatorExecutionProvider"]``."""
        return [self._deployment.provider]

    def get_session_options(self) -> SessionOptions:
        """Return the session options in force."""
        return self._deployment.session_options

    def get_provider_options(self) -> dict[str, dict[str, Any]]:
        """Return the options in force, by provider, defaults included."""
        return self._deployment.provider_options()

    def set_providers(self, providers: Providers = None, provider_options: ProviderOptionsLike = None) -> None:
        """Load the model again, on another provider or with other options; if that fails, nothing has changed.

        What was accepted before is delivered, on the cores as they were; for a moment both are in memory. Statistics
        start again at zero. Streams, pipelines and bindings go on with the new contexts; values keep what they hold.
        """
        self._deployment.set_providers(providers, provider_options)

    def enable_fallback(self) -> None:
        """Do nothing, like :meth:`disable_fallback`: a session stays on its device."""

    def disable_fallback(self) -> None:
        """Do nothing, like :meth:`enable_fallback`."""

    def reset(self) -> None:
        """Load the model again with the options in force: for when the device was lost and answers again.

        Every worker gets a fresh context, even one that was set aside or lost. The rest is as with
        :meth:`set_providers`; if it fails, because the device does not answer yet, it may be called again.
        """
        self._deployment.reset()

    @property
    def stats(self) -> SessionStats:
        """The session's statistics: tasks and load of each core, latency percentiles, memory."""
        return self._deployment.executor.stats.read()

    @property
    def health(self) -> SessionHealth:
        """The health of the workers, which may be ready, failing, set aside or lost. See :meth:`reset`."""
        return read_health(self)

    def end_profiling(self) -> str:
        """Write the profile that ``SessionOptions.enable_profiling`` began, and return its path; ``""`` without one.

        It is a Chrome trace: open it in ``chrome://tracing`` or https://ui.perfetto.dev. With the provider option
        ``collect_perf`` it has the runtime's table of layers too, measured now on a context of its own. Recording ends
        here, or with :meth:`close`. After an OSError, call it again.
        """
        return self._deployment.profiler.end() if self._deployment.profiler is not None else ""

    def get_profiling_start_time_ns(self) -> int:
        """Return the start of the profile, in nanoseconds of ``CLOCK_MONOTONIC``; 0 without one."""
        return self._deployment.profiler.start_ns if self._deployment.profiler is not None else 0

    def close(self, *, cancel: bool = False) -> None:
        """Deliver what was accepted, then end the threads and give the NPU's memory back. May be called twice.

        Any other method that needs the NPU then raises :class:`RknnClosedError`. With ``cancel``, what no worker has
        taken up yet does not run: its futures are cancelled, callbacks get the text of an error, coroutines and other
        threads' :meth:`run` raise :class:`RknnClosedError`.
        """
        self._deployment.close(cancel=cancel)

    def __enter__(self) -> InferenceSession:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
