# SPDX-License-Identifier: Apache-2.0
"""The runs of a binding."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .._messages.wording import shown
from .._options.run_options import of_one
from .._running.futures import future_of
from ..errors import RknnTypeError, RknnValueError
from .io_binding import IOBinding
from .ort_value import OrtValue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._options.run_options import RunOptionsLike
    from .._running.executor import Executor
    from .._running.futures import RunFuture
    from .binding_request import BindingRequest


def binding_request(
    session: Any, binding: Any, run_options: RunOptionsLike, caller: str
) -> tuple[Executor, BindingRequest]:
    """Return the executor and a request for one inference of a binding, its values marked as in use.

    Raises:
        RknnValueError, RknnTypeError: it cannot run, or not with these options; ``caller`` is the method's name.
        RknnInUseError: the binding, or one of its values, is in use.
    """
    of_one(run_options, caller)
    if not isinstance(binding, IOBinding):
        raise RknnTypeError(f"iobinding takes what io_binding() returned, not {shown(binding)}")
    executor: Executor = session._deployment.executor
    return executor, binding.request(session, executor)


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
    return future_of(executor, binding.request(session, executor), binding.results, timeout_ms)


def run_on_vectors(
    session: Any, run_options: RunOptionsLike, feed_names: Any, feeds: Any, fetch_names: Any, fetches: Any
) -> None:
    """Run one inference on values by position, and add its outputs to ``fetches``, ONNX Runtime's vector or a list."""
    # The native values of an older ONNX Runtime have numpy() alone.
    values = (
        value if isinstance(value, OrtValue) or hasattr(value, "__dlpack__") else value.numpy() for value in feeds
    )
    arrays = session.run(fetch_names, dict(zip(feed_names, values)), run_options)
    if hasattr(fetches, "push_back"):
        native = importlib.import_module("onnxruntime").OrtValue  # whose vector it is, so it is there
        for array in arrays:
            # One made from the array would point into its memory, which ends with this call.
            value = native.ortvalue_from_shape_and_type(list(array.shape), array.dtype.type)
            value.update_inplace(array)
            fetches.push_back(value._ortvalue)
    else:
        fetches.extend(map(OrtValue.ortvalue_from_numpy, arrays))


def feed_of_values(values: Any) -> dict[str, Any]:
    """Return the values given to ``run_with_ort_values()`` as a feed.

    Raises:
        RknnTypeError: they are not in a dictionary.
    """
    if not isinstance(values, Mapping):
        raise RknnTypeError(
            f"input_dict_ort_values takes a dictionary {{name: value}}, not {shown(values)}; "
            "it is called as run_with_ort_values(output_names, input_dict_ort_values)"
        )
    return dict(values)
