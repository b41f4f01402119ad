"""Running what is bound: the methods of a session that take an ``IOBinding`` or ``OrtValue`` objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Callable

from ._host.callbacks import VALUES, check_callback
from ._host.wording import shown
from ._options.run_options import of_one
from ._running import awaitable
from ._running.futures import future_of
from ._running.retry import made_again
from ._values.io_binding import IOBinding
from ._values.ort_value import OrtValue
from .errors import RknnTypeError, RknnValueError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from ._running.executor import Executor
    from ._running.futures import RunFuture
    from ._runtime.engine import Result
    from ._tensors.node_arg import NodeArg
    from ._values.binding_request import BindingRequest

    Callback = Callable[[list[OrtValue] | None, Any, str], object]


class BindingRuns:
    """The part of ``InferenceSession`` that runs bindings."""

    _executor: Executor

    @made_again
    def io_binding(self) -> IOBinding:
        """A new :class:`IOBinding`, with nothing bound.

        Raises:
            RknnClosedError: the session is closed.
            RknnError: its tensors go through copies (provider option ``io_mode``).
        """
        return IOBinding(self)

    def get_native_inputs(self) -> list[NodeArg]:
        """How the memory of a value for each input is laid out (provider option ``zero_copy_layout``).

        Raises:
            RknnError: the session's tensors go through copies.
        """
        return [port.node_arg for port in self._executor.ports.inputs]

    def get_native_outputs(self) -> list[NodeArg]:
        """How the memory of a value for each output is laid out; see :meth:`get_native_inputs`."""
        return [port.node_arg for port in self._executor.ports.outputs]

    @made_again
    def run_with_iobinding(self, iobinding: IOBinding, run_options: Any = None) -> None:
        """Run one inference on the values that are bound, and wait for it; nothing is copied or allocated.

        Raises:
            RknnValueError: an input is not bound, or the binding is another session's.
            RknnInUseError: the binding, or one of its values, is in use.
            RknnTimeoutError, RknnDeviceError, RknnClosedError: as :meth:`run`.
        """
        of_one(run_options, "run_with_iobinding")
        executor = self._executor
        executor.run(_request(self, executor, iobinding))

    @made_again
    def run_with_iobinding_async(
        self, iobinding: IOBinding, callback: Callback, user_data: Any = None, run_options: Any = None
    ) -> None:
        """Queue one inference on the values that are bound; ``callback(values, user_data, err)`` is told its end.

        As with :meth:`run_async`, but ``values`` is the list that ``iobinding.get_outputs()`` returns, or None with
        ``err``. Until then the binding and its values are in use.

        Raises: as :meth:`run_with_iobinding`; the callback will not be called.
        """
        call = "run_with_iobinding_async(iobinding, callback, user_data=None)"
        check_callback(callback, VALUES, call, "pass a function, or await run_with_iobinding_awaitable()")
        of_one(run_options, "run_with_iobinding_async")

        executor = self._executor

        def receive(_: BindingRequest, result: Result) -> None:
            if result.code < 0:
                callback(None, user_data, str(executor.failure(result)))
            else:
                callback(iobinding.results(), user_data, "")

        request = _request(self, executor, iobinding)
        try:
            executor.submit(request, receive)
        except BaseException:
            request.ended(None)  # it was not accepted
            raise

    @made_again
    async def run_with_iobinding_awaitable(self, iobinding: IOBinding, run_options: Any = None) -> list[OrtValue]:
        """:meth:`run_with_iobinding` for asyncio; returns what ``iobinding.get_outputs()`` does."""
        of_one(run_options, "run_with_iobinding_awaitable")
        executor = self._executor
        await awaitable.run(executor, _request(self, executor, iobinding))
        return iobinding.results()

    def run_with_ort_values(
        self, output_names: Sequence[str] | None, input_dict_ort_values: Mapping[str, OrtValue], run_options: Any = None
    ) -> list[OrtValue]:
        """:meth:`run` with values instead of arrays: ours, or ONNX Runtime's own.

        What it returns is on the CPU, and values on the NPU are read; :meth:`run_with_iobinding` does without.
        """
        if not isinstance(input_dict_ort_values, Mapping):
            raise RknnTypeError(
                f"input_dict_ort_values takes a dictionary {{name: value}}, not {shown(input_dict_ort_values)}; "
                "it is called as run_with_ort_values(output_names, input_dict_ort_values)"
            )
        outputs = self.run(output_names, dict(input_dict_ort_values), run_options)
        return [OrtValue.ortvalue_from_numpy(output) for output in outputs]

    if TYPE_CHECKING:

        def run(
            self, output_names: Sequence[str] | None, input_feed: Any, run_options: Any = None
        ) -> list[npt.NDArray[Any]]:
            """Of the session."""


def submit_binding(
    session: Any, executor: Executor, binding: IOBinding, output_names: Sequence[str] | None, timeout_ms: int | None
) -> RunFuture:
    """Queue one inference and return the future of its outputs, as ``binding.get_outputs()`` lists them.

    Raises:
        RknnTimeoutError: the queue stayed full.
        RknnInUseError: the binding, or one of its values, is in use.
    """
    if output_names:
        raise RknnValueError(
            f"output_names={output_names!r} cannot be given with a binding, which has its outputs bound"
        )
    return future_of(executor, _request(session, executor, binding), binding.results, timeout_ms)


def _request(session: Any, executor: Executor, binding: Any) -> BindingRequest:
    if not isinstance(binding, IOBinding):
        raise RknnTypeError(f"iobinding takes what io_binding() returned, not {shown(binding)}")
    return binding.request(session, executor)
