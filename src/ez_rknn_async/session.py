"""``InferenceSession``: one model, ready to run on the cores that its options name."""

from __future__ import annotations

import difflib
import functools
import logging
import threading
import weakref
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Callable, Optional

from ._contexts.model_source import ModelSource
from ._host.calls import under_one_name
from ._host.process_bound import ProcessBound, never_raising
from ._host.wording import shown
from ._observing.health import SessionHealth
from ._options.log_severity import DEFAULT, set_default_logger_severity
from ._options.provider_options import ProviderOptions, is_option
from ._options.providers import choose, warn_of_simulation
from ._options.session_options import SessionOptions
from ._running.opening import open_model
from ._running.pipeline import Pipeline
from ._running.retry import made_again
from .array_runs import ArrayRuns
from .binding_runs import BindingRuns
from .errors import RknnClosedError, RknnTypeError

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping
    from types import TracebackType

    from ._observing.profiling import Profiler
    from ._observing.stats import SessionStats
    from ._running.executor import Executor
    from ._running.opening import Loaded, Opened
    from ._tensors.metadata import ModelMetadata
    from ._tensors.node_arg import NodeArg

    _Target = tuple[Optional[str], ProviderOptions, Optional[Loaded]]

logger = logging.getLogger("ez_rknn_async")

_KEYWORDS = ("use_weight_from",)


@under_one_name
class InferenceSession(ArrayRuns, BindingRuns, ProcessBound):
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
            path_or_bytes: the ``.rknn`` file's path, or its content. Whatever happens to the file afterwards, the
                session goes on with what it was.
            sess_options: a :class:`SessionOptions`, or ONNX Runtime's own, for profiling and logging.
            providers: None, or ``"RKNPU2ExecutionProvider"`` (also as ``(name, options)``), or
                ``"RKNPU2SimulatorExecutionProvider"`` for the simulated NPU. None is the NPU where there is one, and
                the simulated one elsewhere; to have that although the NPU is named is a ``UserWarning``.
            provider_options: a dictionary; see :func:`ez_rknn_async.make_provider_options`.
            **kwargs: ``use_weight_from=session``: the session whose weights stand for those that this model leaves out
                (``remove_weight=True``). It may be closed before this one: its weights stay as long as they are used.

        Raises:
            RknnModelError: the file cannot be opened, is damaged, or is not for this SoC or runtime.
            RknnClosedError: the session given as ``use_weight_from`` is closed.
            RknnRuntimeNotFoundError: no runtime library could be loaded.
            RknnTimeoutError: the runtime did not load the model within ``load_timeout_ms``.
            RknnValueError, RknnTypeError: an argument is wrong.
        """
        self._lender = _lender(kwargs)  # not the session itself, which may be dropped
        self._session_options = SessionOptions.of(sess_options)
        if self._session_options.log_severity_level != DEFAULT:
            set_default_logger_severity(self._session_options.log_severity_level)
        self._pipeline = Pipeline()
        self._exchanging = threading.RLock()  # one exchange at a time; a signal handler may begin one inside another
        self._exchanges = self._last_exchange = 0  # how many have begun; the number of the last one that succeeded
        self._state = threading.Lock()  # guards what _enter() sets, while it may be exchanged
        provider, given = choose(providers, provider_options)
        options = ProviderOptions.parse(given)
        warn_of_simulation(providers, options.runtime_library)
        self._source = ModelSource.of(path_or_bytes)  # let go by _close()
        try:
            self._enter(self._open(provider, options), provider, options)
        except BaseException:
            self._source.let_go()
            raise

    @never_raising
    def __repr__(self) -> str:
        executor = self._executor
        cores = ", ".join(f"[{cores}]" if "," in cores else cores for cores in executor.cores)
        state = executor.state() if self._finalizer.alive else "closed"
        return f"<{type(self).__name__} {self._source} on {self._provider}, cores {cores}: {state}>"

    def _open(self, provider: str | None, options: ProviderOptions, loaded: Loaded | None = None) -> Opened:
        return open_model(self._source, provider, options, self._session_options, self._lender(), loaded)

    def _enter(self, opened: Opened, wanted: str | None, options: ProviderOptions) -> None:
        """Run on what was opened from now on."""
        self._wanted, self._options = wanted, options
        self._executor, self._provider, self._modelmeta, self._profiler, self._loaded = opened
        # Runs when the session is dropped and, should that not happen, before the interpreter ends.
        self._finalizer = weakref.finalize(self, _close, self._source, self._executor, self._profiler)

    def _exchange(self, choose_target: Callable[[], _Target], *, may_join: bool = False) -> None:
        """Load the model again, for the provider and with the options chosen, and end what the session ran on.

        With ``may_join`` another one that begins after this call and succeeds will do.
        """
        begun = self._exchanges
        with self._exchanging:
            if may_join and self._last_exchange > begun:
                return
            self._exchanges += 1
            number = self._exchanges
            wanted, options, loaded = choose_target()
            if not self._finalizer.alive:
                raise RknnClosedError("the session is closed")
            opened = self._open(wanted, options, loaded)
            with self._state:
                former = self._finalizer.detach()
                if former is not None:
                    self._enter(opened, wanted, options)
                    self._last_exchange = number
        # Not inside: the former executor may be delivering to a callback that makes an exchange, too.
        if former is None:  # closed meanwhile
            _end(opened.executor, opened.profiler, patient=False)
            raise RknnClosedError("the session is closed")
        _, executor, profiler = former[2]
        _end(executor, profiler, patient=False)

    @property
    def stats(self) -> SessionStats:
        """What the session has done so far: tasks and load of each core, latency percentiles, memory."""
        return self._executor.stats.read()

    @property
    def health(self) -> SessionHealth:
        """How the workers are: whether they serve, fail, hang or are lost. See :meth:`reset`."""
        try:
            return self._read_health()
        except RknnClosedError:
            return SessionHealth(())

    @made_again
    def _read_health(self) -> SessionHealth:
        return self._executor.health()

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
        moment both are in memory. Statistics begin anew. Streams, pipelines and bindings go on with the new contexts,
        and values keep what they hold.

        Args, raises: as for a new session; when it fails, the session stays as it was.
        """
        wanted, given = choose(providers, provider_options)
        options = ProviderOptions.parse(given)
        warn_of_simulation(providers, options.runtime_library)
        self._exchange(lambda: (wanted, options, None))

    def reset(self) -> None:
        """Load the model again with the options in force: what to do when the device was lost and answers again.

        Every worker gets a fresh context, those included that were set aside or lost. The rest is as with
        :meth:`set_providers`: what was accepted before is delivered, or failed by the former contexts; when the device
        does not answer yet, this raises, and may be called again.

        Raises:
            RknnError: the runtime refuses.
            RknnClosedError: the session is closed, or the one given as ``use_weight_from``.
        """
        self._exchange(lambda: (self._wanted, self._options, self._loaded), may_join=True)

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
        with self._state:
            ending = self._finalizer.detach()
            executor = self._executor
        if cancel:
            executor.close(cancel=True, patient=False)
        if ending is not None:
            _close(*ending[2], patient=False)

    def __enter__(self) -> InferenceSession:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _lender(kwargs: Mapping[str, Any]) -> Callable[[], Executor | None]:
    """What runs the session given as ``use_weight_from``, whenever it is asked for; None if none was given."""
    for name in kwargs:
        if name not in _KEYWORDS:
            raise RknnTypeError(f"InferenceSession has no argument {name!r}{_instead_of(name)}")
    session = kwargs.get("use_weight_from")
    if session is None:
        return lambda: None
    if not isinstance(session, InferenceSession):
        raise RknnTypeError(f"use_weight_from takes an InferenceSession, not {shown(session)}")
    return functools.partial(_executor_of, weakref.ref(session))


def _instead_of(name: str) -> str:
    if is_option(name):
        return f"; it is a provider option: pass provider_options=make_provider_options({name}=...)"
    near = difflib.get_close_matches(name, ["sess_options", "providers", "provider_options", *_KEYWORDS], n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _executor_of(session: weakref.ref[InferenceSession]) -> Executor:
    lender = session()
    if lender is None:
        raise RknnClosedError("the session given as use_weight_from is closed")
    return lender._executor


def _close(source: ModelSource, executor: Executor, profiler: Profiler | None, *, patient: bool = True) -> None:
    try:
        _end(executor, profiler, patient=patient)
    finally:
        source.let_go()


def _end(executor: Executor, profiler: Profiler | None, *, patient: bool) -> None:
    executor.close(patient=patient)
    if profiler is not None:
        try:
            profiler.end()
        except OSError:
            logger.exception("the profile could not be written")
