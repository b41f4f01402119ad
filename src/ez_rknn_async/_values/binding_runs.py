# SPDX-License-Identifier: Apache-2.0
"""The runs of a binding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .._messages.wording import shown
from .._options.run_options import of_one
from .._running.futures import future_of
from ..errors import RknnTypeError, RknnValueError
from .io_binding import IOBinding

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
