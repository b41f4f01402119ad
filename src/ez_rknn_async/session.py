"""``InferenceSession``: one model, ready to run on the cores that its options name."""

from __future__ import annotations

import difflib
import logging
import os
import weakref
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Callable

from . import model as rknn_file
from .errors import RknnError, RknnTypeError, RknnValueError
from .executor import Executor, failure
from .metadata import ModelMetadata
from .options import ProviderOptions, parse_settings
from .outputs import select
from .pipeline import Pipeline, deliver
from .plan import plan
from .providers import RKNPU2, RKNPU2_SIMULATOR, choose
from .runtime.locate import SIMULATOR, Located, locate
from .shapes import graph_shapes
from .soc import SOCS, soc

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    import numpy.typing as npt

    from .interface import Request
    from .node_arg import NodeArg
    from .runtime.engine import Result

    Array = npt.NDArray[Any]
    Callback = Callable[[list[Array] | None, Any, str], object]

logger = logging.getLogger("ez_rknn_async")

_DISPATCH_BATCH = "ztu_modelrt_dispatch_batch"
_KEYWORDS = ("use_weight_from",)


class InferenceSession:
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
            sess_options: accepted for programs written for ONNX Runtime; nothing in it applies to an NPU.
            providers: None, or ``"RKNPU2ExecutionProvider"`` (also as ``(name, options)``), or
                ``"RKNPU2SimulatorExecutionProvider"`` for the simulated NPU.
            provider_options: a dictionary; see :func:`ez_rknn_async.make_provider_options`.
            **kwargs: ``use_weight_from=None``.

        Raises:
            RknnModelError: the file is damaged, or not for this SoC or runtime.
            RknnRuntimeNotFoundError: no runtime library could be loaded.
            RknnValueError, RknnTypeError: an argument is wrong.
            NotImplementedError: an option is set whose feature does not exist yet.
        """
        _refuse_unknown(kwargs)
        provider, given = choose(providers, provider_options)
        options = ProviderOptions.parse(given)
        source = _source(path_or_bytes)
        with rknn_file.load(source) as model:
            located = _locate(provider, options)
            target = _soc_of(located, options)
            if target is not None:
                rknn_file.check_target(model, target)
            chosen = plan(options, soc(target or model.target_platform))
            _warn_about_cores(chosen.groups, model)
            self._executor = Executor(located.library, source, graph_shapes(model), chosen, options)
            self._modelmeta = _metadata(model)
        # Runs when the session is dropped and, should that not happen, before the interpreter ends.
        self._finalizer = weakref.finalize(self, self._executor.close)
        self._options = options
        self._provider = RKNPU2_SIMULATOR if located.library.simulated else RKNPU2
        self._pipeline = Pipeline()
        logger.info(
            "session on %s: runtime %s, driver %s, cores %s",
            located.library.path,
            *self._executor.versions,
            " ".join(chosen.groups),
        )

    # ---- Running ----

    def run(self, output_names: Sequence[str] | None, input_feed: Any, run_options: Any = None) -> list[Array]:
        """Run one inference and return its outputs.

        Args:
            output_names: which outputs, in which order; None or empty for all.
            input_feed: ``{name: array}``, a sequence of arrays in the model's order, or one array for the only input.
                Any real dtype; shapes as :meth:`get_inputs` says.
            run_options: accepted for programs written for ONNX Runtime.

        Returns:
            New C-contiguous arrays, float32 unless the output is of an integer type without quantisation.

        Raises:
            RknnValueError, RknnTypeError: the feed does not fit the model; nothing reached the NPU.
            RknnTimeoutError: no worker was free within ``submit_timeout_ms``.
            RknnDeviceError: the NPU failed.
        """
        _refuse_batch(run_options)
        wanted = select(output_names, self.output_names)
        outputs = self._executor.run(self._prepare(input_feed, private=False))
        return [outputs[index] for index in wanted]

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
        _refuse_batch(run_options)
        wanted = select(output_names, self.output_names)

        def receive(outputs: list[Array], result: Result) -> None:
            if result.code < 0:
                callback(None, user_data, str(failure(result)))
            else:
                callback([outputs[index] for index in wanted], user_data, "")

        self._executor.submit(self._prepare(input_feed, private=True), receive)

    def run_pipeline(self, input_feed: Any, depth: int = 3, reset: bool = False) -> list[Array] | None:
        """Give in a frame and take out the outputs of the frame given in ``depth`` calls ago.

        Args:
            input_feed: as for :meth:`run`; it is copied before this returns.
            depth: how many frames are under way; the first ``depth`` calls return None.
            reset: start anew with this frame, dropping the results of those under way. So does another depth.

        Raises:
            RknnError: as :meth:`run`; an error of an older frame is raised when its results are due.
        """
        if self._executor.is_delivering():
            raise RknnError("run_pipeline() would wait for this callback's own thread; use run() in a callback")
        return self._pipeline.step(lambda: self._submit(input_feed), depth, bool(reset))

    def _submit(self, input_feed: Any) -> Future[list[Array]]:
        future: Future[list[Array]] = Future()

        def receive(outputs: list[Array], result: Result) -> None:
            deliver(future, outputs, failure(result) if result.code < 0 else None)

        self._executor.submit(self._prepare(input_feed, private=True), receive)
        return future

    def _prepare(self, input_feed: Any, *, private: bool) -> Request:
        return self._executor.interface.request(input_feed, private=private)

    # ---- What the model is ----

    @property
    def input_names(self) -> list[str]:
        """The names of the inputs, in the model's order."""
        return self._executor.interface.input_names

    @property
    def output_names(self) -> list[str]:
        """The names of the outputs, in the model's order."""
        return self._executor.interface.output_names

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

    def get_provider_options(self) -> dict[str, dict[str, Any]]:
        """The options in force, by provider, defaults included."""
        return {self._provider: asdict(self._options)}

    # ---- Ending ----

    def close(self) -> None:
        """Deliver what was accepted, then end the threads and give the NPU's memory back. May be called twice.

        Any other method called afterwards that needs the NPU raises :class:`RknnClosedError`.
        """
        self._finalizer()

    def __enter__(self) -> InferenceSession:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _source(path_or_bytes: Any) -> str | bytes:
    if isinstance(path_or_bytes, (bytes, bytearray, memoryview)):
        return bytes(path_or_bytes)
    try:
        path = os.fspath(path_or_bytes)
    except TypeError:
        raise RknnTypeError(f"path_or_bytes takes a path or the file's bytes, not {path_or_bytes!r}") from None
    return os.fsdecode(path)


def _locate(provider: str | None, options: ProviderOptions) -> Located:
    library = options.runtime_library
    if provider == RKNPU2_SIMULATOR:
        if library not in (None, SIMULATOR):
            raise RknnValueError(f"provider {provider} runs on the simulated NPU, but runtime_library={library!r}")
        library = SIMULATOR
    return locate(library)


def _soc_of(located: Located, options: ProviderOptions) -> str | None:
    """The SoC that the runtime drives; None where it will be the one that the model is for."""
    if not located.library.simulated:
        return located.soc
    settings = {**parse_settings(os.environ.get("EZ_RKNN_SIMULATOR", "")), **parse_settings(options.simulator or "")}
    name = settings.get("soc")
    if name is not None and name not in SOCS:
        raise RknnValueError(f"the simulator setting soc={name} is no SoC that it can be; it can be {', '.join(SOCS)}")
    return name


def _warn_about_cores(groups: Sequence[str], model: rknn_file.Model) -> None:
    most = max(1 + group.count(",") for group in groups)
    if most not in model.graphs[0].core_modes and most > 1:
        logger.warning(
            "tp_mode uses %d cores, but the model was compiled for one: the runtime will use core 0 alone; "
            "compile it without single_core_mode",
            most,
        )


def _metadata(model: rknn_file.Model) -> ModelMetadata:
    custom = {"rknn_custom_string": model.custom_string} if model.custom_string else {}
    return ModelMetadata(
        producer_name="rknn-toolkit2",
        producer_version=model.compiler,
        graph_name=model.target_platform,
        domain=model.framework,
        version=model.schema_version,
        custom_metadata_map={**custom, "target_platform": model.target_platform},
    )


def _refuse_unknown(kwargs: Mapping[str, Any]) -> None:
    for name, value in kwargs.items():
        if name not in _KEYWORDS:
            near = difflib.get_close_matches(name, ["sess_options", "providers", "provider_options", *_KEYWORDS], n=1)
            raise RknnTypeError(
                f"InferenceSession has no argument {name!r}" + (f"; did you mean {near[0]!r}?" if near else "")
            )
        if value is not None:
            raise NotImplementedError(f"{name} is not implemented yet; leave it out")


def _refuse_batch(run_options: Any) -> None:
    if isinstance(run_options, Mapping) and run_options.get(_DISPATCH_BATCH):
        raise NotImplementedError(f"run option {_DISPATCH_BATCH} is not implemented yet; run the samples one by one")
